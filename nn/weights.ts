/** Names of parameters: flat records whose keys are paths, such as "critic/0/kernel". */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import type { Shapes } from "../engine/trace.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";

/** The entries below `group`, under their full names: those that start with "group/". */
export function part<T>(record: Readonly<Record<string, T>>, group: string): Record<string, T> {
  // By name first: a learner's state on a device is copied entry by entry, as it is read.
  const names = Object.keys(record).filter((name) => name.startsWith(`${group}/`));
  return Object.fromEntries(names.map((name) => [name, record[name]!]));
}

/** The entries below `from`, renamed to stand below `to`: "from/0/kernel" becomes "to/0/kernel". */
export function moved<T>(record: Readonly<Record<string, T>>, from: string, to: string): Record<string, T> {
  return Object.fromEntries(
    Object.entries(part(record, from)).map(([name, value]) => [to + name.slice(from.length), value]),
  );
}

/**
 * The entry called `name`.
 *
 * @throws {TypeError} when there is none
 */
export function entry(weights: Weights, name: string): Tensor {
  const tensor = weights[name];
  if (!tensor) throw new TypeError(`Cannot read weight "${name}": the record has no such entry`);
  return tensor;
}

/** Zeros in the shapes of `tensors`, under the same names. */
export function zerosLike(tensors: Tensors): Tensors {
  return mapTensors(tensors, (x) => ndarray(x.shape));
}

/** Copies of `tensors` that share no memory with them. */
export function copied(tensors: Tensors): Tensors {
  return mapTensors(tensors, (x) => ndarray(x.shape, x.data.slice()));
}

/** The shape of each tensor, as `compile` and `compileUpdate` ask for it. */
export function shapesOf(tensors: Tensors): Shapes {
  return Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, x.shape]));
}

function mapTensors(tensors: Tensors, f: (x: NDArray) => NDArray): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, f(x)]));
}
