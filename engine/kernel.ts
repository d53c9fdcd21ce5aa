/** The forms of the two tables every kernel file exports: how a kernel is recorded, and its gradient. */
import { broadcast_util, reshape, sum, type Tensor } from "@tensorflow/tfjs-core";
import type { Graph, Value } from "./graph.ts";

/** Kernel settings as tfjs-core passes them, named as tfjs-core names them. */
export type Settings = Readonly<Record<string, unknown>>;

/** Appends what a tfjs-core kernel computes to the graph. `inputs` are named as tfjs-core names them. */
export type Kernel = (
  graph: Graph,
  inputs: Readonly<Record<string, Value>>,
  settings: Settings,
) => Value | readonly Value[];

/** Kernels by tfjs-core's kernel name. */
export type Kernels = Readonly<Record<string, Kernel>>;

/**
 * The gradient of a kernel. `dy` is the gradient of its output (a list where it has several); `inputs` are all its
 * inputs in tfjs-core's order, `outputs` all its outputs. Returns one function per input, called only when needed.
 */
export interface Gradient {
  /** Input names in tfjs-core's order; `"list"` for kernels that take a list. */
  readonly inputs: readonly string[] | "list";
  /** How many outputs `outputs` shall hold. */
  readonly outputs?: number;
  /** The gradients of the inputs, in order; each is computed when it is called. */
  readonly gradient: (
    dy: Tensor[],
    inputs: Tensor[],
    outputs: Tensor[],
    settings: Settings,
  ) => readonly (() => Tensor)[];
}

/** Gradients by tfjs-core's kernel name. */
export type Gradients = Readonly<Record<string, Gradient>>;

/** Sums `dy` over the axes along which an input of `shape` was broadcast. */
export function sumTo(dy: Tensor, shape: readonly number[]): Tensor {
  const own = [...shape];
  const axes = broadcast_util.getReductionAxes(own, dy.shape);
  return reshape(axes.length > 0 ? sum(dy, axes) : dy, own);
}
