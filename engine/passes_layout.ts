/**
 * Rewrites of pictures: a convolution has its channels in front and everything else has them last. What is computed
 * element by element between two convolutions is computed in the convolutions' layout, so that nothing is moved there.
 */
import type { Graph, Value } from "./graph.ts";
import { elementwise, isElementwise, reshape, sameShape, transpose } from "./operators.ts";
import type { Rule } from "./passes.ts";
import { size } from "../ndarray.ts";

const LAST = [0, 2, 3, 1], FIRST = [0, 3, 1, 2];

const isLast = (v: Value) => v.op === "Transpose" && sameShape(v.attributes["perm"] as number[], LAST);

// The operand in the other layout at no cost: it comes from there, or it is small.
function moved(graph: Graph, x: Value, shape: readonly number[]): Value | undefined {
  if (isLast(x)) return x.inputs[0];
  if (size(x.shape) === 1) return reshape(graph, x, []);
  if (size(x.shape) > shape.at(-1)!) return undefined;
  const whole = reshape(graph, x, [...new Array<number>(4 - x.shape.length).fill(1), ...x.shape]);
  return transpose(graph, whole, FIRST);
}

// op(T(a), T(b), row) = T(op(a, b, moved row))
const transposeLater: Rule = (v, { graph }) => {
  if (!isElementwise(v.op) || v.shape.length !== 4) return undefined;
  if (!v.inputs.some((x) => isLast(x) && sameShape(x.shape, v.shape))) return undefined;
  const inputs = v.inputs.map((x) => moved(graph, x, v.shape));
  if (inputs.includes(undefined)) return undefined;
  return transpose(graph, elementwise(graph, v.op, inputs as Value[], v.attributes, v.dtype), LAST);
};

// A convolution takes a number for each of its filters along.
const bias: Rule = (v, { graph, usedOnce }) => {
  if (v.op !== "Add" || v.shape.length !== 4) return undefined;
  const filters = v.shape[1]!;
  for (const [i, conv] of v.inputs.entries()) {
    const row = v.inputs[1 - i]!;
    if (conv.op !== "Conv" || conv.inputs.length !== 2 || !usedOnce(conv)) continue;
    if (!sameShape(row.shape, [1, filters, 1, 1])) continue;
    return graph.add({ ...conv, inputs: [...conv.inputs, reshape(graph, row, [filters])] });
  }
  return undefined;
};

/** Rules for convolutions and what stands between them. */
export const layouts: readonly Rule[] = [transposeLater, bias];
