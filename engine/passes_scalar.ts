/** Rewrites of arithmetic: constants are computed once, and factors of one number are gathered into one. */
import type { Graph, Value } from "./graph.ts";
import { elementwise, expand, sameShape } from "./operators.ts";
import type { Rule } from "./passes.ts";
import { size } from "../ndarray.ts";

// Exactly the operators whose float32 result JavaScript gives to the bit.
const FOLDS: Readonly<Record<string, (...x: number[]) => number>> = {
  Add: (a, b) => a! + b!,
  Sub: (a, b) => a! - b!,
  Mul: (a, b) => a! * b!,
  Div: (a, b) => a! / b!,
  Max: (a, b) => Math.max(a!, b!),
  Min: (a, b) => Math.min(a!, b!),
  Neg: (a) => -a!,
  Abs: (a) => Math.abs(a!),
  Sqrt: (a) => Math.sqrt(a!),
  Reciprocal: (a) => 1 / a!,
  Floor: (a) => Math.floor(a!),
  Greater: (a, b) => Number(a! > b!),
  GreaterOrEqual: (a, b) => Number(a! >= b!),
  Less: (a, b) => Number(a! < b!),
  LessOrEqual: (a, b) => Number(a! <= b!),
  Equal: (a, b) => Number(a === b),
  And: (a, b) => Number(a! && b!),
  Or: (a, b) => Number(a! || b!),
  Not: (a) => Number(!a),
  Where: (condition, a, b) => condition ? a! : b!,
};

/** The number in every element, where it is known. */
function known(value: Value | undefined): number | undefined {
  return value?.op === "Splat" ? value.attributes["value"] as number : undefined;
}

// `x` in the shape that `v` has, which may be the larger of two operands'.
const shaped = (graph: Graph, x: Value, v: Value) =>
  sameShape(x.shape, v.shape) ? x : expand(graph, x, v.shape);

const fold: Rule = (v, { graph }) => {
  if (v.inputs.length === 0 || v.inputs.some((x) => x.op !== "Splat")) return undefined;
  const numbers = v.inputs.map((x) => known(x)!);
  if (v.op === "Cast") {
    const value = v.dtype === "bool"
      ? Number(numbers[0] !== 0)
      : v.dtype === "int32"
      ? Math.trunc(numbers[0]!)
      : numbers[0]!;
    return graph.splat(value, v.shape, v.dtype);
  }
  // Integer division and overflow have rules of their own.
  if (!FOLDS[v.op] || v.inputs.some((x) => x.dtype === "int32")) return undefined;
  return graph.splat(Math.fround(FOLDS[v.op]!(...numbers)), v.shape, v.dtype);
};

// Constants and smaller operands second, so that rules need look there only.
const order: Rule = (v, { graph }) => {
  if (!["Add", "Mul", "Max", "Min", "And", "Or"].includes(v.op)) return undefined;
  const [a, b] = v.inputs as [Value, Value];
  const rank = (x: Value) => x.op === "Splat" ? -1 : size(x.shape);
  const swap = rank(a) < rank(b) || (rank(a) === rank(b) && a.id > b.id);
  return swap ? graph.withInputs(v, [b, a]) : undefined;
};

const neutral: Rule = (v, { graph }) => {
  const [a, b] = v.inputs as [Value, Value];
  const number = known(b);
  if (v.op === "Sub" && known(a) === 0) return shaped(graph, elementwise(graph, "Neg", [b]), v);
  if (v.op === "Where" && b === v.inputs[2]) return shaped(graph, b, v);
  if (v.op === "Where" && known(a) !== undefined) return shaped(graph, known(a) ? b : v.inputs[2]!, v);
  if (number === undefined) return undefined;
  switch (v.op) {
    case "Add":
    case "Sub":
      return number === 0 ? shaped(graph, a, v) : undefined;
    case "Mul":
      if (number === 0) return graph.splat(0, v.shape, v.dtype);
      if (number === -1) return shaped(graph, elementwise(graph, "Neg", [a]), v);
      return number === 1 ? shaped(graph, a, v) : undefined;
    case "Div": {
      if (number === 1) return shaped(graph, a, v);
      const exact = v.dtype === "float32" && number !== 0 && Number.isInteger(Math.log2(Math.abs(number)));
      return exact ? elementwise(graph, "Mul", [a, graph.splat(1 / number)]) : undefined;
    }
    case "Pow":
      if (number === 1) return shaped(graph, a, v);
      if (number === 2) return elementwise(graph, "Mul", [a, a]);
      return number === 0.5 ? elementwise(graph, "Sqrt", [a]) : undefined;
  }
  return undefined;
};

const zeroOver: Rule = (v, { graph }) =>
  v.op === "Div" && known(v.inputs[0]) === 0 ? graph.splat(0, v.shape, v.dtype) : undefined;

const signs: Rule = (v, { graph }) => {
  const [a, b] = v.inputs as [Value, Value];
  const make = (op: string, ...inputs: Value[]) => shaped(graph, elementwise(graph, op, inputs), v);
  const inner = (x: Value | undefined) => x?.op === "Neg" ? x.inputs[0] : undefined;
  const number = known(b);
  switch (v.op) {
    case "Neg": {
      if (a.op === "Neg") return a.inputs[0];
      if (a.op === "Sub") return make("Sub", a.inputs[1]!, a.inputs[0]!);
      const factor = a.op === "Mul" ? known(a.inputs[1]) : undefined;
      return factor === undefined ? undefined : make("Mul", a.inputs[0]!, graph.splat(-factor, [], a.dtype));
    }
    case "Add":
      if (inner(b)) return make("Sub", a, inner(b)!);
      return inner(a) ? make("Sub", b, inner(a)!) : undefined;
    case "Sub":
      return inner(b) ? make("Add", a, inner(b)!) : undefined;
    case "Mul":
      if (inner(a) && inner(b)) return make("Mul", inner(a)!, inner(b)!);
      return inner(a) && number !== undefined
        ? make("Mul", inner(a)!, graph.splat(-number, [], v.dtype))
        : undefined;
  }
  return undefined;
};

/** The factors of `v = array · number`, where the number is one element and the array is more. */
function scaled(v: Value | undefined): [array: Value, number: Value] | undefined {
  if (v?.op !== "Mul" || v.dtype !== "float32") return undefined;
  const [a, b] = v.inputs as [Value, Value];
  return size(b.shape) === 1 && size(a.shape) > 1 && sameShape(a.shape, v.shape) ? [a, b] : undefined;
}

// (x · s) · t = x · (s · t): one pass over the array instead of two.
const gather: Rule = (v, { graph }) => {
  const outer = scaled(v);
  const inner = scaled(outer?.[0]);
  if (!outer || !inner) return undefined;
  return elementwise(graph, "Mul", [inner[0], elementwise(graph, "Mul", [outer[1], inner[1]])]);
};

// (x · s)² · t = x² · (s² · t), for the same reason.
const gatherSquare: Rule = (v, { graph }) => {
  const outer = scaled(v);
  const square = outer?.[0];
  if (!outer || square?.op !== "Mul" || square.inputs[0] !== square.inputs[1]) return undefined;
  const inner = scaled(square.inputs[0]);
  if (!inner) return undefined;
  const factor = elementwise(graph, "Mul", [elementwise(graph, "Mul", [inner[1], inner[1]]), outer[1]]);
  return elementwise(graph, "Mul", [elementwise(graph, "Mul", [inner[0], inner[0]]), factor]);
};

// (x · s) · y for arrays x and y: the factor goes to the smaller of the two, or past both to meet other factors.
const moveFactor: Rule = (v, { graph, usedOnce }) => {
  if (v.op !== "Mul" || scaled(v)) return undefined;
  for (const [i, x] of v.inputs.entries()) {
    const inner = usedOnce(x) ? scaled(x) : undefined;
    const other = v.inputs[1 - i]!;
    if (!inner || other === x || size(other.shape) > size(x.shape)) continue;
    const [array, number] = inner;
    return size(other.shape) < size(x.shape)
      ? elementwise(graph, "Mul", [array, elementwise(graph, "Mul", [other, number])])
      : elementwise(graph, "Mul", [elementwise(graph, "Mul", [array, other]), number]);
  }
  return undefined;
};

/** Rules for arithmetic with constants, signs and factors. */
export const scalars: readonly Rule[] = [
  fold,
  order,
  neutral,
  zeroOver,
  signs,
  gather,
  gatherSquare,
  moveFactor,
];
