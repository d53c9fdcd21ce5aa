/** Initial kernels as Flax draws them, on the host. Kernels have their outputs last; leading axes count as inputs. */
import { type NDArray, ndarray, size } from "../ndarray.ts";
import type { Stream } from "../random.ts";

/**
 * A random kernel with orthonormal rows or columns, whichever are fewer, times `scale` (Saxe et al. 2014; Flax'
 * `orthogonal`): the Q of a QR decomposition with a positive diagonal, uniform among all such matrices.
 */
export function orthogonal(stream: Stream, shape: readonly number[], scale: number): NDArray {
  const columns = shape.at(-1)!, rows = size(shape) / columns;
  const count = Math.min(rows, columns), length = Math.max(rows, columns);
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const vector = Float64Array.from({ length }, () => stream.normal());
    // Gram and Schmidt's steps, twice, since once leaves rounding errors of the size of the overlap.
    for (const earlier of [...vectors, ...vectors]) {
      let overlap = 0;
      for (let i = 0; i < length; i++) overlap += vector[i]! * earlier[i]!;
      for (let i = 0; i < length; i++) vector[i]! -= overlap * earlier[i]!;
    }
    const norm = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
    vectors.push(vector.map((x) => x / norm));
  }
  const kernel = ndarray(shape);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [vector, at] = rows >= columns ? [column, row] : [row, column];
      kernel.data[row * columns + column] = scale * vectors[vector]![at]!;
    }
  }
  return kernel;
}

/** Standard deviation of a normal variable that is cut off at -2 and 2. */
const cutDeviation = 0.8796256610342398;

/**
 * A kernel of variance 2 / (in + out), normal and cut off at two deviations (Glorot & Bengio 2010; Flax'
 * `xavier_normal`).
 */
export function xavierNormal(stream: Stream, shape: readonly number[]): NDArray {
  const columns = shape.at(-1)!, rows = size(shape) / columns;
  const deviation = Math.sqrt(2 / (rows + columns)) / cutDeviation;
  const kernel = ndarray(shape);
  for (let i = 0; i < kernel.data.length; i++) {
    let draw: number;
    do draw = stream.normal(); while (Math.abs(draw) > 2);
    kernel.data[i] = deviation * draw;
  }
  return kernel;
}
