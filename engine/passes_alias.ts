/** Rewrites of operators that only move elements: most moves are none, or can be made of an earlier array. */
import type { Value } from "./graph.ts";
import { concat, expand, reshape, sameShape, slice, transpose } from "./operators.ts";
import type { Rule } from "./passes.ts";

const list = (value: Value, name: string) => value.attributes[name] as readonly number[];
const isUnit = (extent: number) => extent === 1;

const castToItself: Rule = (v) => v.op === "Cast" && v.inputs[0]!.dtype === v.dtype ? v.inputs[0] : undefined;

const sameShapeMove: Rule = (v) =>
  (v.op === "Reshape" || v.op === "Expand" || v.op === "Slice") && sameShape(v.shape, v.inputs[0]!.shape)
    ? v.inputs[0]
    : undefined;

const nested: Rule = (v, { graph }) => {
  const x = v.inputs[0];
  if (x?.op !== v.op) return undefined;
  if (v.op === "Reshape") return reshape(graph, x.inputs[0]!, v.shape);
  if (v.op === "Expand") return expand(graph, x.inputs[0]!, v.shape);
  if (v.op === "Transpose") {
    return transpose(graph, x.inputs[0]!, list(v, "perm").map((axis) => list(x, "perm")[axis]!));
  }
  if (v.op === "Slice") {
    const start = list(v, "start").map((from, i) => from + list(x, "start")[i]!);
    return slice(graph, x.inputs[0]!, start, v.shape);
  }
  return undefined;
};

// A transposition that keeps the order of all axes longer than 1 moves nothing.
const transposeOfUnits: Rule = (v, { graph }) => {
  if (v.op !== "Transpose") return undefined;
  const x = v.inputs[0]!;
  const moved = list(v, "perm").filter((axis) => !isUnit(x.shape[axis]!));
  return moved.every((axis, i) => i === 0 || axis > moved[i - 1]!) ? reshape(graph, x, v.shape) : undefined;
};

// A slice of parts side by side that lies within one part.
const sliceOfConcat: Rule = (v, { graph }) => {
  const x = v.inputs[0];
  if (v.op !== "Slice" || x?.op !== "Concat") return undefined;
  const axis = x.attributes["axis"] as number;
  const start = list(v, "start");
  let offset = 0;
  for (const part of x.inputs) {
    const inside = start[axis]! - offset;
    if (inside >= 0 && inside + v.shape[axis]! <= part.shape[axis]!) {
      return slice(graph, part, start.map((from, i) => i === axis ? inside : from), v.shape);
    }
    offset += part.shape[axis]!;
  }
  return undefined;
};

const concatOfOne: Rule = (v) => v.op === "Concat" && v.inputs.length === 1 ? v.inputs[0] : undefined;

// Neighbouring slices of one array, put side by side again, are one slice of it.
const concatOfSlices: Rule = (v, { graph }) => {
  if (v.op !== "Concat") return undefined;
  const axis = v.attributes["axis"] as number;
  const joined: Value[] = [];
  for (const part of v.inputs) {
    const last = joined.at(-1);
    const together = last?.op === "Slice" && part.op === "Slice" && last.inputs[0] === part.inputs[0] &&
      last.shape.every((extent, i) =>
        i === axis
          ? list(last, "start")[i]! + extent === list(part, "start")[i]
          : extent === part.shape[i] && list(last, "start")[i] === list(part, "start")[i]
      );
    if (!together) {
      joined.push(part);
      continue;
    }
    const length = last.shape.map((extent, i) => i === axis ? extent + part.shape[i]! : extent);
    joined[joined.length - 1] = slice(graph, last.inputs[0]!, list(last, "start"), length);
  }
  return joined.length < v.inputs.length ? concat(graph, joined, axis) : undefined;
};

const padOfNothing: Rule = (v) =>
  v.op === "Pad" && [...list(v, "before"), ...list(v, "after")].every((extent) => extent === 0)
    ? v.inputs[0]
    : undefined;

/** Rules for casts, shapes, transpositions, slices and concatenations. */
export const aliases: readonly Rule[] = [
  castToItself,
  sameShapeMove,
  nested,
  transposeOfUnits,
  sliceOfConcat,
  concatOfOne,
  concatOfSlices,
  padOfNothing,
];
