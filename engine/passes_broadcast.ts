/** Rewrites that keep small arrays small: what is broadcast stays unexpanded until something needs every element. */
import type { Graph, Value } from "./graph.ts";
import {
  broadcast,
  elementwise,
  expand,
  isElementwise,
  reduce,
  reshape,
  sameShape,
  transpose,
} from "./operators.ts";
import type { Rule } from "./passes.ts";
import { size } from "../ndarray.ts";

const list = (value: Value, name: string) => value.attributes[name] as readonly number[];

// The source of an expansion with as many axes as the result.
function source(graph: Graph, expanded: Value): Value {
  const x = expanded.inputs[0]!;
  const lead = expanded.shape.length - x.shape.length;
  return lead === 0 ? x : reshape(graph, x, [...new Array<number>(lead).fill(1), ...x.shape]);
}

// Moving one number in every element gives one number in every element.
const moveOfSplat: Rule = (v, { graph }) => {
  const x = v.inputs[0];
  if (x?.op !== "Splat" || !["Reshape", "Expand", "Transpose", "Slice", "Tile", "Reverse"].includes(v.op)) {
    return undefined;
  }
  return graph.splat(x.attributes["value"] as number, v.shape, v.dtype);
};

const concatOfSplats: Rule = (v, { graph }) => {
  const first = v.inputs[0];
  if (v.op !== "Concat" || first?.op !== "Splat") return undefined;
  const value = first.attributes["value"] as number;
  return v.inputs.every((x) => x.op === "Splat" && Object.is(x.attributes["value"], value))
    ? graph.splat(value, v.shape, v.dtype)
    : undefined;
};

// Operands lose the extents that broadcasting gives back; where none of them holds an extent, the result is expanded.
const lazyExpand: Rule = (v, { graph }) => {
  if (!isElementwise(v.op)) return undefined;
  const stripped = v.inputs.map((x) =>
    x.op === "Expand"
      ? x.inputs[0]!
      : x.op === "Splat" && x.shape.length > 0
      ? graph.splat(x.attributes["value"] as number, [], x.dtype)
      : x
  );
  if (stripped.every((x, i) => x === v.inputs[i])) return undefined;
  const result = elementwise(graph, v.op, stripped, v.attributes, v.dtype);
  return sameShape(result.shape, v.shape) ? result : expand(graph, result, v.shape);
};

// NOTE: ONNX Runtime takes elements one by one where the last axis has extent 1.
const lastUnitAxis: Rule = (v, { graph }) => {
  if (!isElementwise(v.op) || v.shape.length < 2 || v.shape.at(-1) !== 1 || size(v.shape) === 1) {
    return undefined;
  }
  const inputs = v.inputs.map((x) => {
    if (size(x.shape) === 1) return reshape(graph, x, []);
    return sameShape(x.shape, v.shape) ? reshape(graph, x, x.shape.slice(0, -1)) : undefined;
  });
  if (inputs.includes(undefined)) return undefined;
  return reshape(graph, elementwise(graph, v.op, inputs as Value[], v.attributes, v.dtype), v.shape);
};

// A reshape that only adds or drops axes of extent 1 commutes with an expansion.
const reshapeOfExpand: Rule = (v, { graph }) => {
  const expanded = v.inputs[0];
  if (v.op !== "Reshape" || expanded?.op !== "Expand") return undefined;
  const long = (shape: readonly number[]) => shape.filter((extent) => extent !== 1);
  if (!sameShape(long(v.shape), long(expanded.shape))) return undefined;
  const extents = source(graph, expanded).shape.filter((_, i) => expanded.shape[i] !== 1);
  let next = 0;
  const shape = v.shape.map((extent) => extent === 1 ? 1 : extents[next++]!);
  return expand(graph, reshape(graph, source(graph, expanded), shape), v.shape);
};

const transposeOfExpand: Rule = (v, { graph }) => {
  const expanded = v.inputs[0];
  if (v.op !== "Transpose" || expanded?.op !== "Expand") return undefined;
  return expand(graph, transpose(graph, source(graph, expanded), list(v, "perm")), v.shape);
};

// Reducing copies: a sum multiplies by their number, a mean or an extreme sees one of them.
const reduceOfExpand: Rule = (v, { graph }) => {
  const expanded = v.inputs[0];
  const copies = expanded?.op === "Expand" || expanded?.op === "Splat";
  if (!copies || !["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"].includes(v.op)) return undefined;
  const whole = expanded.op === "Splat" ? expanded.shape.map(() => 1) : source(graph, expanded).shape;
  const axes = list(v, "axes").filter((axis) => whole[axis] === 1 && expanded.shape[axis] !== 1);
  if (axes.length === 0) return undefined;
  const shape = expanded.shape.map((extent, i) => axes.includes(i) ? 1 : extent);
  const one = expanded.op === "Splat"
    ? graph.splat(expanded.attributes["value"] as number, shape, v.dtype)
    : expand(graph, source(graph, expanded), shape);
  const reduced = reduce(graph, v.op, one, list(v, "axes"), true);
  if (v.op !== "ReduceSum") return reduced;
  const count = size(axes.map((axis) => expanded.shape[axis]!));
  return elementwise(graph, "Mul", [reduced, graph.splat(count, [], v.dtype)]);
};

// Matrix products broadcast their leading axes by themselves.
const productOfExpand: Rule = (v, { graph }) => {
  if (v.op !== "MatMul") return undefined;
  const inputs = v.inputs.map((x) => {
    if (x.op !== "Expand") return x;
    const y = x.inputs[0]!;
    return y.shape.length >= 2 && sameShape(y.shape.slice(-2), x.shape.slice(-2)) ? y : x;
  });
  const batch = broadcast(...inputs.map((x) => x.shape.slice(0, -2)));
  if (!sameShape(batch, v.shape.slice(0, -2)) || inputs.every((x, i) => x === v.inputs[i])) return undefined;
  return graph.withInputs(v, inputs);
};

// A batch of one in front of an operand is no batch.
const productOfUnitBatch: Rule = (v, { graph }) => {
  if (v.op !== "MatMul" || v.shape.length < 3) return undefined;
  const inputs = v.inputs.map((x) =>
    x.shape.length > 2 && size(x.shape.slice(0, -2)) === 1 ? reshape(graph, x, x.shape.slice(-2)) : x
  );
  if (inputs.every((x, i) => x === v.inputs[i])) return undefined;
  const rank = Math.max(...inputs.map((x) => x.shape.length));
  const shape = rank === 2 ? v.shape.slice(-2) : v.shape.slice(-rank);
  return reshape(graph, graph.add({ ...v, inputs, shape }), v.shape);
};

/** Rules for expansions and for arrays of one number. */
export const broadcasts: readonly Rule[] = [
  moveOfSplat,
  concatOfSplats,
  lazyExpand,
  lastUnitAxis,
  reshapeOfExpand,
  transposeOfExpand,
  reduceOfExpand,
  productOfExpand,
  productOfUnitBatch,
];
