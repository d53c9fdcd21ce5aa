/** Rewrites of matrix products: transposed operands, factors and biases are taken by the product itself. */
import type { Graph, Value } from "./graph.ts";
import { elementwise, isElementwise, matMul, reduce, reshape, sameShape, slice } from "./operators.ts";
import type { Rule } from "./passes.ts";
import { size } from "../ndarray.ts";

const flags = (v: Value) => ({
  transA: v.attributes["transA"] === 1,
  transB: v.attributes["transB"] === 1,
  alpha: v.attributes["alpha"] as number,
});

// Whether a transposition swaps the last two axes and nothing else.
function swapsLast(v: Value): boolean {
  const perm = v.attributes["perm"] as readonly number[];
  const rank = perm.length;
  return v.op === "Transpose" &&
    perm.every((axis, i) => axis === (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
}

const transposedOperand: Rule = (v, { graph }) => {
  if (v.op !== "MatMul") return undefined;
  const [a, b, ...rest] = v.inputs as [Value, Value];
  const { transA, transB, alpha } = flags(v);
  if (a.op === "Transpose" && swapsLast(a)) {
    return matMul(graph, [a.inputs[0]!, b, ...rest], { transA: !transA, transB, alpha });
  }
  if (b.op === "Transpose" && swapsLast(b)) {
    return matMul(graph, [a, b.inputs[0]!, ...rest], { transA, transB: !transB, alpha });
  }
  return undefined;
};

// An inner extent of 1 makes the product an outer one, which broadcasting computes.
const outerProduct: Rule = (v, { graph }) => {
  if (v.op !== "MatMul" || v.inputs.length !== 2) return undefined;
  const [a, b] = v.inputs as [Value, Value];
  const { transA, transB, alpha } = flags(v);
  if (a.shape.at(transA ? -2 : -1) !== 1) return undefined;
  const column = transA ? reshape(graph, a, [...a.shape.slice(0, -2), a.shape.at(-1)!, 1]) : a;
  const row = transB ? reshape(graph, b, [...b.shape.slice(0, -2), 1, b.shape.at(-2)!]) : b;
  return elementwise(graph, "Mul", [elementwise(graph, "Mul", [column, row]), graph.splat(alpha)]);
};

const factor: Rule = (v, { graph, usedOnce }) => {
  const [product, number] = v.inputs;
  if (v.op !== "Mul" || product?.op !== "MatMul" || number?.op !== "Splat") return undefined;
  if (product.inputs.length !== 2 || !usedOnce(product) || !sameShape(product.shape, v.shape)) {
    return undefined;
  }
  const { transA, transB, alpha } = flags(product);
  const scaled = Math.fround(alpha * (number.attributes["value"] as number));
  return matMul(graph, product.inputs, { transA, transB, alpha: scaled });
};

// Rank 2 only: there ONNX's product takes a bias.
const bias: Rule = (v, { graph, usedOnce }) => {
  if (v.op !== "Add" || v.shape.length !== 2) return undefined;
  for (const [i, product] of v.inputs.entries()) {
    const row = v.inputs[1 - i]!;
    if (product.op !== "MatMul" || product.inputs.length !== 2 || !usedOnce(product)) continue;
    if (
      !sameShape(product.shape, v.shape) || size(row.shape) !== v.shape[1] || row.shape.at(-1) !== v.shape[1]
    ) continue;
    if (product.inputs.some((x) => x.shape.length !== 2)) continue;
    return matMul(graph, [...product.inputs, reshape(graph, row, [v.shape[1]!])], flags(product));
  }
  return undefined;
};

function cut(graph: Graph, x: Value, axis: number, start: number, length: number): Value {
  const at = axis < 0 ? x.shape.length + axis : axis;
  return slice(
    graph,
    x,
    x.shape.map((_, i) => i === at ? start : 0),
    x.shape.map((extent, i) => i === at ? length : extent),
  );
}

// The one axis along which a slice is narrower than its source.
function cutAxis(v: Value): number | undefined {
  const axes = v.shape.flatMap((extent, i) => extent === v.inputs[0]!.shape[i] ? [] : [i]);
  return axes.length === 1 ? axes[0] : undefined;
}

// Columns or rows of a product are the product with those columns or rows of an operand.
const sliceOfProduct: Rule = (v, { graph, readBy }) => {
  const product = v.inputs[0];
  if (v.op !== "Slice" || product?.op !== "MatMul" || product.inputs.length !== 2) return undefined;
  const axis = cutAxis(v);
  const rank = v.shape.length;
  if (axis === undefined || axis < rank - 2 || !readBy(product, "Slice")) return undefined;
  if (v.shape[axis]! * 2 > product.shape[axis]!) return undefined;
  const { transA, transB, alpha } = flags(product);
  const start = (v.attributes["start"] as readonly number[])[axis]!;
  const [a, b] = product.inputs as [Value, Value];
  const inputs = axis === rank - 1
    ? [a, cut(graph, b, transB ? -2 : -1, start, v.shape[axis]!)]
    : [cut(graph, a, transA ? -1 : -2, start, v.shape[axis]!), b];
  return matMul(graph, inputs, { transA, transB, alpha });
};

// A narrow slice goes in front of what is computed element by element or reduced along another axis.
const sliceFirst: Rule = (v, { graph, readBy }) => {
  const x = v.inputs[0];
  const axis = v.op === "Slice" ? cutAxis(v) : undefined;
  if (axis === undefined || !x || v.shape[axis]! * 2 > x.shape[axis]! || !readBy(x, "Slice")) {
    return undefined;
  }
  const start = (v.attributes["start"] as readonly number[])[axis]!;
  const length = v.shape[axis]!;
  if (isElementwise(x.op)) {
    const lead = (input: Value) => axis - x.shape.length + input.shape.length;
    const inputs = x.inputs.map((input) =>
      lead(input) < 0 || input.shape[lead(input)] === 1
        ? input
        : cut(graph, input, lead(input), start, length)
    );
    return elementwise(graph, x.op, inputs, x.attributes, x.dtype);
  }
  const axes = x.attributes["axes"] as readonly number[];
  if (x.op.startsWith("Reduce") && !axes.includes(axis)) {
    return reduce(graph, x.op, cut(graph, x.inputs[0]!, axis, start, length), axes, true);
  }
  if (x.op === "Reshape") {
    // Only past axes of extent 1: then the cut axis is still one axis before.
    const before = x.inputs[0]!;
    const long = (shape: readonly number[]) => shape.filter((extent) => extent !== 1);
    if (!sameShape(long(before.shape), long(x.shape))) return undefined;
    const rank = x.shape.slice(0, axis).filter((extent) => extent !== 1).length;
    const at = before.shape.flatMap((extent, i) => extent === 1 ? [] : [i])[rank]!;
    return reshape(graph, cut(graph, before, at, start, length), v.shape);
  }
  return undefined;
};

/** Rules for matrix products and for slices of them. */
export const products: readonly Rule[] = [
  transposedOperand,
  outerProduct,
  factor,
  bias,
  sliceOfProduct,
  sliceFirst,
];
