/** Rewrites of sums: in front of factors, as sums of squares, and as products with ones. */
import type { Value } from "./graph.ts";
import { elementwise, matMul, reduce, reshape, sameShape } from "./operators.ts";
import type { Rule } from "./passes.ts";
import { size } from "../ndarray.ts";

const axesOf = (v: Value) => v.attributes["axes"] as readonly number[];

// Fewer elements are summed as they are.
const WORTH_A_PRODUCT = 4096;

const overUnits: Rule = (v, { graph }) => {
  if (!["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"].includes(v.op)) return undefined;
  const x = v.inputs[0]!;
  const axes = axesOf(v).filter((axis) => x.shape[axis] !== 1);
  if (axes.length === 0) return reshape(graph, x, v.shape);
  return axes.length < axesOf(v).length ? reduce(graph, v.op, x, axes, true) : undefined;
};

// Σ (x · s) = (Σ x) · s for one number s.
const factorOut: Rule = (v, { graph }) => {
  const x = v.inputs[0];
  if ((v.op !== "ReduceSum" && v.op !== "ReduceMean") || x?.op !== "Mul") return undefined;
  const [a, b] = x.inputs as [Value, Value];
  if (size(b.shape) !== 1 || size(a.shape) === 1 || !sameShape(a.shape, x.shape)) return undefined;
  const factor = reshape(graph, b, []);
  return elementwise(graph, "Mul", [reduce(graph, v.op, a, axesOf(v), true), factor]);
};

const negationOut: Rule = (v, { graph }) => {
  const x = v.inputs[0];
  if ((v.op !== "ReduceSum" && v.op !== "ReduceMean") || x?.op !== "Neg") return undefined;
  return elementwise(graph, "Neg", [reduce(graph, v.op, x.inputs[0]!, axesOf(v), true)]);
};

const squares: Rule = (v, { graph }) => {
  const x = v.inputs[0];
  if (v.op !== "ReduceSum" || x?.op !== "Mul" || x.inputs[0] !== x.inputs[1]) return undefined;
  return reduce(graph, "ReduceSumSquare", x.inputs[0]!, axesOf(v), true);
};

// NOTE: ONNX Runtime sums over rows four times slower than it multiplies them by a row of ones.
const columnSums: Rule = (v, { graph }) => {
  const x = v.inputs[0];
  if (v.op !== "ReduceSum" || x?.dtype !== "float32" || size(x.shape) < WORTH_A_PRODUCT) return undefined;
  const rank = x.shape.length;
  // The bias of a convolution sums over all its positions.
  if (rank === 4 && String(axesOf(v)) === "0,1,2") {
    const rows = reshape(graph, x, [size(x.shape) / x.shape[3]!, x.shape[3]!]);
    return reshape(graph, reduce(graph, v.op, rows, [0], true), v.shape);
  }
  if (rank < 2 || axesOf(v).length !== 1 || axesOf(v)[0] !== rank - 2 || x.shape[rank - 1]! < 8) {
    return undefined;
  }
  return matMul(graph, [graph.splat(1, [1, x.shape[rank - 2]!]), x]);
};

/** Rules for sums. */
export const reductions: readonly Rule[] = [overUnits, factorOut, negationOut, squares, columnSums];
