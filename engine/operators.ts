/**
 * ONNX operators as functions that append to a graph, with the shape each gives. Settings that ONNX wants as
 * int64 inputs (axes, shapes, bounds) are attributes here; `lower.ts` moves them.
 */
import type { Attributes, DType, Graph, Value } from "./graph.ts";
import { size } from "../ndarray.ts";

const COMPARISONS = new Set(["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"]);
const LOGIC = new Set(["And", "Or", "Not", "IsNaN"]);
const ARITHMETIC = new Set(
  ("Add Sub Mul Div Max Min Pow Where Neg Abs Exp Log Sqrt Reciprocal Tanh Atanh Sigmoid Relu Elu LeakyRelu " +
    "Softplus Erf Sin Cos Sign Floor Ceil Round Clip Cast").split(" "),
);

/** Whether `op` works element by element and broadcasts its inputs, as NumPy does. */
export function isElementwise(op: string): boolean {
  return ARITHMETIC.has(op) || COMPARISONS.has(op) || LOGIC.has(op);
}

/**
 * The shape that shapes broadcast to.
 *
 * @throws {RangeError} when they do not
 */
export function broadcast(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    let extent = 1;
    for (const shape of shapes) {
      const own = shape[i - rank + shape.length] ?? 1;
      if (own !== 1 && extent !== 1 && own !== extent) {
        throw new RangeError(
          `Cannot broadcast ${shapes.map((s) => `[${s}]`).join(" with ")}: extents differ`,
        );
      }
      if (own !== 1) extent = own;
    }
    return extent;
  });
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** An elementwise operator; `dtype` is inferred unless given (as `Cast` must). */
export function elementwise(
  graph: Graph,
  op: string,
  inputs: readonly Value[],
  attributes: Attributes = {},
  dtype?: DType,
): Value {
  const inferred = COMPARISONS.has(op) || LOGIC.has(op) ? "bool" : inputs[inputs.length - 1]!.dtype;
  return graph.add({
    op,
    inputs,
    attributes,
    shape: broadcast(...inputs.map((input) => input.shape)),
    dtype: dtype ?? inferred,
  });
}

/** Another element type: to bool is "not 0", float32 to int32 cuts towards 0. */
export function cast(graph: Graph, x: Value, dtype: DType): Value {
  return elementwise(graph, "Cast", [x], { to: dtype }, dtype);
}

/** The same elements in row-major order under another shape. */
export function reshape(graph: Graph, x: Value, shape: readonly number[]): Value {
  if (size(shape) !== size(x.shape)) {
    throw new RangeError(`Cannot reshape [${x.shape}] to [${shape}]: the numbers of elements differ`);
  }
  return graph.add({ op: "Reshape", inputs: [x], attributes: { shape }, shape, dtype: x.dtype });
}

/** `x` broadcast to `shape`. */
export function expand(graph: Graph, x: Value, shape: readonly number[]): Value {
  return graph.add({ op: "Expand", inputs: [x], attributes: { shape }, shape, dtype: x.dtype });
}

/** Axis `i` of the result is axis `perm[i]` of `x`. */
export function transpose(graph: Graph, x: Value, perm: readonly number[]): Value {
  const shape = perm.map((axis) => x.shape[axis]!);
  return graph.add({ op: "Transpose", inputs: [x], attributes: { perm }, shape, dtype: x.dtype });
}

/** `length[i]` elements from `start[i]` on along every axis `i`. */
export function slice(graph: Graph, x: Value, start: readonly number[], length: readonly number[]): Value {
  const attributes = { start, length };
  return graph.add({ op: "Slice", inputs: [x], attributes, shape: length, dtype: x.dtype });
}

/** Elements `start` to `start + length` along one axis, everything along the others. */
export function sliceAxis(graph: Graph, x: Value, axis: number, start: number, length: number): Value {
  return slice(
    graph,
    x,
    x.shape.map((_, i) => i === axis ? start : 0),
    x.shape.map((extent, i) => i === axis ? length : extent),
  );
}

/** Every `step[i]`-th element, `length[i]` of them, from `start[i]` on along every axis `i`. */
export function strided(
  graph: Graph,
  x: Value,
  start: readonly number[],
  length: readonly number[],
  step: readonly number[],
): Value {
  const attributes = { start, step };
  return graph.add({ op: "Strided", inputs: [x], attributes, shape: length, dtype: x.dtype });
}

/** `x` with so many zeros (or `value`s) before and after its elements along every axis. */
export function pad(
  graph: Graph,
  x: Value,
  before: readonly number[],
  after: readonly number[],
  value = 0,
): Value {
  return graph.add({
    op: "Pad",
    inputs: [x, graph.splat(value, [], x.dtype)],
    attributes: { before, after },
    shape: x.shape.map((extent, i) => before[i]! + extent + after[i]!),
    dtype: x.dtype,
  });
}

/** Parts side by side along `axis`; all other extents must agree. */
export function concat(graph: Graph, parts: readonly Value[], axis: number): Value {
  const first = parts[0]!;
  const total = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const shape = first.shape.map((extent, i) => i === axis ? total : extent);
  return graph.add({ op: "Concat", inputs: parts, attributes: { axis }, shape, dtype: first.dtype });
}

/** `ReduceSum`, `ReduceMean`, `ReduceMax`, `ReduceMin`, `ReduceProd` or `ReduceSumSquare` over `axes`. */
export function reduce(
  graph: Graph,
  op: string,
  x: Value,
  axes: readonly number[],
  keepDims: boolean,
): Value {
  const kept = x.shape.map((extent, i) => axes.includes(i) ? 1 : extent);
  const reduced = graph.add({
    op,
    inputs: [x],
    attributes: { axes: [...axes].sort((a, b) => a - b) },
    shape: kept,
    dtype: x.dtype,
  });
  return keepDims ? reduced : reshape(graph, reduced, x.shape.filter((_, i) => !axes.includes(i)));
}

/** Settings of a matrix product: which operands are transposed in their last two axes, and a factor. */
export interface MatMulOptions {
  /** Whether the first operand is transposed; false by default. */
  readonly transA?: boolean;
  /** Whether the second operand is transposed; false by default. */
  readonly transB?: boolean;
  /** Factor on the product; 1 by default. */
  readonly alpha?: number;
}

/**
 * The product of the last two axes, batched over the leading ones, which broadcast. A third input, for rank 2
 * only, is added to the product.
 */
export function matMul(graph: Graph, inputs: readonly Value[], options: MatMulOptions = {}): Value {
  const [a, b] = inputs as [Value, Value];
  const { transA = false, transB = false, alpha = 1 } = options;
  const rows = a.shape.at(transA ? -1 : -2)!;
  const columns = b.shape.at(transB ? -2 : -1)!;
  const [inner, other] = [a.shape.at(transA ? -2 : -1), b.shape.at(transB ? -1 : -2)];
  if (inner !== other) {
    throw new RangeError(
      `Cannot multiply matrices of [${a.shape}] and [${b.shape}]: ${inner} is not ${other}`,
    );
  }
  return graph.add({
    op: "MatMul",
    inputs,
    attributes: { transA: Number(transA), transB: Number(transB), alpha },
    shape: [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns],
    dtype: a.dtype,
  });
}
