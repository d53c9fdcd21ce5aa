/** Host arrays: a shape and flat, row-major data. The one form in which numbers cross module borders. */

/** Element storage of a host array. */
export type Elements = Float32Array | Float64Array | Int32Array | Uint8Array;

/** A dense row-major array; `data.length` is the product of `shape`. */
export interface NDArray<D extends Elements = Float32Array> {
  /** Extents, outermost first; [] for a scalar. */
  readonly shape: readonly number[];
  /** Elements, row-major. */
  readonly data: D;
}

/** Named float32 arrays, as programs take and give them and safetensors files hold them. */
export type Tensors = Record<string, NDArray>;

/** Number of elements of a shape; 1 for a scalar's empty shape. */
export function size(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/**
 * Wraps `data` with its shape, or makes zeros.
 *
 * @throws {RangeError} when `data` has another number of elements than `shape`
 */
export function ndarray(shape: readonly number[], data?: Float32Array): NDArray {
  const elements = size(shape);
  if (data && data.length !== elements) {
    throw new RangeError(`Cannot shape ${data.length} elements as [${shape}]: the shape needs ${elements}`);
  }
  return { shape: [...shape], data: data ?? new Float32Array(elements) };
}

/** A float32 scalar. */
export function scalar(value: number): NDArray {
  return { shape: [], data: Float32Array.of(value) };
}
