/**
 * Elementwise kernels and their gradients, one line each. Conventions at the kinks, as in PyTorch and JAX unless
 * said: abs'(0) = 0, relu'(0) = 0, clip passes at its bounds, a tie of maximum or minimum goes to its first operand
 * (PyTorch and JAX split it), sqrt'(0) is infinite. Comparisons and roundings have zero gradients.
 */
import {
  add,
  cast as castTensor,
  clone,
  cos,
  div,
  exp,
  floor,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  logicalAnd,
  logicalNot,
  mul,
  neg,
  pow,
  sigmoid,
  sign,
  sin,
  square,
  sub,
  type Tensor,
  where,
  zeros,
} from "@tensorflow/tfjs-core";
import type { DType, Graph, Value } from "./graph.ts";
import { type Gradient, type Gradients, type Kernel, type Kernels, type Settings, sumTo } from "./kernel.ts";
import { cast, elementwise } from "./operators.ts";

type Unary = [op: string | Kernel, derivative: (dy: Tensor, x: Tensor, y: Tensor, s: Settings) => Tensor];
type Binary = [
  op: string | Kernel,
  left: (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor,
  right: (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor,
];

const none = (_dy: Tensor, x: Tensor) => zeros(x.shape);
const noneRight = (_dy: Tensor, _a: Tensor, b: Tensor) => zeros(b.shape);
const only = (condition: Tensor, dy: Tensor) => where(condition, dy, 0);

const unary: Readonly<Record<string, Unary>> = {
  Abs: ["Abs", (dy, x) => mul(dy, sign(x))],
  Neg: ["Neg", (dy) => neg(dy)],
  Exp: ["Exp", (dy, _x, y) => mul(dy, y)],
  Log: ["Log", (dy, x) => div(dy, x)],
  Sqrt: ["Sqrt", (dy, _x, y) => div(dy, mul(y, 2))],
  Rsqrt: [
    (g, { x }) => reciprocal(g, elementwise(g, "Sqrt", [x!])),
    (dy, _x, y) => mul(dy, mul(-0.5, mul(y, square(y)))),
  ],
  Square: [(g, { x }) => elementwise(g, "Mul", [x!, x!]), (dy, x) => mul(dy, mul(x, 2))],
  Reciprocal: [(g, { x }) => reciprocal(g, x!), (dy, _x, y) => neg(mul(dy, square(y)))],
  Tanh: ["Tanh", (dy, _x, y) => mul(dy, sub(1, square(y)))],
  Atanh: ["Atanh", (dy, x) => div(dy, sub(1, square(x)))],
  Sigmoid: ["Sigmoid", (dy, _x, y) => mul(dy, mul(y, sub(1, y)))],
  Softplus: ["Softplus", (dy, x) => mul(dy, sigmoid(x))],
  Relu: ["Relu", (dy, x) => only(greater(x, 0), dy)],
  Relu6: [(g, { x }) => clip(g, x!, 0, 6), (dy, x) => only(logicalAnd(greater(x, 0), lessEqual(x, 6)), dy)],
  LeakyRelu: [
    (g, { x }, s) => elementwise(g, "LeakyRelu", [x!], { alpha: s["alpha"] as number }),
    (dy, x, _y, s) => where(greater(x, 0), dy, mul(dy, s["alpha"] as number)),
  ],
  Elu: [
    (g, { x }) => elementwise(g, "Elu", [x!], { alpha: 1 }),
    (dy, x, y) => where(greater(x, 0), dy, mul(dy, add(y, 1))),
  ],
  Erf: ["Erf", (dy, x) => mul(dy, mul(2 / Math.sqrt(Math.PI), exp(neg(square(x)))))],
  Sin: ["Sin", (dy, x) => mul(dy, cos(x))],
  Cos: ["Cos", (dy, x) => neg(mul(dy, sin(x)))],
  ClipByValue: [
    (g, { x }, s) => clip(g, x!, s["clipValueMin"] as number, s["clipValueMax"] as number),
    (dy, x, _y, s) =>
      only(
        logicalAnd(greaterEqual(x, s["clipValueMin"] as number), lessEqual(x, s["clipValueMax"] as number)),
        dy,
      ),
  ],
  Cast: [
    (g, { x }, s) => cast(g, x!, s["dtype"] as DType),
    (dy, x, _y, s) => s["dtype"] === "float32" ? castTensor(dy, "float32") : zeros(x.shape),
  ],
  Identity: [(_g, { x }) => x!, (dy) => castTensor(dy, "float32")],
  Sign: ["Sign", none],
  Floor: ["Floor", none],
  Ceil: ["Ceil", none],
  Round: ["Round", none],
  Step: [step, none],
  IsNan: ["IsNaN", none],
  LogicalNot: ["Not", none],
  ZerosLike: [(g, { x }) => g.splat(0, x!.shape, x!.dtype), none],
  OnesLike: [(g, { x }) => g.splat(1, x!.shape, x!.dtype), none],
};

const binary: Readonly<Record<string, Binary>> = {
  Add: ["Add", (dy) => dy, (dy) => dy],
  Sub: ["Sub", (dy) => dy, (dy) => neg(dy)],
  Multiply: ["Mul", (dy, _a, b) => mul(dy, b), (dy, a) => mul(dy, a)],
  RealDiv: ["Div", (dy, _a, b) => div(dy, b), (dy, _a, b, y) => neg(div(mul(dy, y), b))],
  Maximum: ["Max", (dy, a, b) => only(greaterEqual(a, b), dy), (dy, a, b) => only(less(a, b), dy)],
  Minimum: ["Min", (dy, a, b) => only(lessEqual(a, b), dy), (dy, a, b) => only(greater(a, b), dy)],
  SquaredDifference: [
    (g, { a, b }) => {
      const difference = elementwise(g, "Sub", [a!, b!]);
      return elementwise(g, "Mul", [difference, difference]);
    },
    (dy, a, b) => mul(dy, mul(2, sub(a, b))),
    (dy, a, b) => mul(dy, mul(2, sub(b, a))),
  ],
  Pow: [
    "Pow",
    (dy, a, b) => mul(dy, mul(b, pow(a, sub(b, 1)))),
    // d a^b / d b = a^b log a, which is 0 for a = 0 and has no real value below.
    (dy, a, _b, y) => mul(dy, only(greater(a, 0), mul(y, log(where(greater(a, 0), a, 1))))),
  ],
  Prelu: [
    (g, { x, alpha }) => {
      const positive = elementwise(g, "Greater", [x!, g.splat(0)]);
      return elementwise(g, "Where", [positive, x!, elementwise(g, "Mul", [x!, alpha!])]);
    },
    (dy, x, alpha) => where(greater(x, 0), dy, mul(dy, alpha)),
    (dy, x) => only(lessEqual(x, 0), mul(dy, x)),
  ],
  FloorDiv: [(g, { a, b }) => floorDivide(g, a!, b!), none, noneRight],
  Mod: [
    (g, { a, b }) => elementwise(g, "Sub", [a!, elementwise(g, "Mul", [floorDivide(g, a!, b!), b!])]),
    (dy) => dy,
    (dy, a, b) => neg(mul(dy, floor(div(a, b)))),
  ],
  Greater: ["Greater", none, noneRight],
  GreaterEqual: ["GreaterOrEqual", none, noneRight],
  Less: ["Less", none, noneRight],
  LessEqual: ["LessOrEqual", none, noneRight],
  Equal: ["Equal", none, noneRight],
  NotEqual: [(g, { a, b }) => elementwise(g, "Not", [elementwise(g, "Equal", [a!, b!])]), none, noneRight],
  LogicalAnd: ["And", none, noneRight],
  LogicalOr: ["Or", none, noneRight],
};

function reciprocal(graph: Graph, x: Value): Value {
  return elementwise(graph, "Reciprocal", [x]);
}

function clip(graph: Graph, x: Value, min: number, max: number): Value {
  return elementwise(graph, "Clip", [x], { min, max });
}

// 1 above zero, `alpha` below, NaN stays.
function step(graph: Graph, inputs: Readonly<Record<string, Value>>, settings: Settings): Value {
  const x = inputs["x"]!;
  const positive = elementwise(graph, "Greater", [x, graph.splat(0)]);
  const rest = elementwise(graph, "Where", [
    elementwise(graph, "IsNaN", [x]),
    x,
    graph.splat(settings["alpha"] as number),
  ]);
  return elementwise(graph, "Where", [positive, graph.splat(1), rest]);
}

// ONNX divides integers towards zero, so both kinds go through floats.
function floorDivide(graph: Graph, a: Value, b: Value): Value {
  const quotient = elementwise(graph, "Div", [cast(graph, a, "float32"), cast(graph, b, "float32")]);
  return cast(graph, elementwise(graph, "Floor", [quotient]), a.dtype);
}

const named = (op: string | Kernel): Kernel =>
  typeof op === "string" ? (graph, inputs) => elementwise(graph, op, Object.values(inputs)) : op;

/** How each elementwise kernel is recorded. */
export const kernels: Kernels = {
  ...Object.fromEntries(Object.entries(unary).map(([name, [op]]) => [name, named(op)])),
  ...Object.fromEntries(Object.entries(binary).map(([name, [op]]) => [name, named(op)])),
  Select: (graph, { condition, t, e }) => elementwise(graph, "Where", [condition!, t!, e!]),
  AddN: (graph, inputs) => Object.values(inputs).reduce((total, x) => elementwise(graph, "Add", [total, x])),
};

const unaryGradient = ([, derivative]: Unary): Gradient => ({
  inputs: ["x"],
  outputs: 1,
  gradient: ([dy], [x], [y], settings) => [() => derivative(dy!, x!, y!, settings)],
});

const binaryGradient = ([, left, right]: Binary, inputs = ["a", "b"]): Gradient => ({
  inputs,
  outputs: 1,
  gradient: ([dy], [a, b], [y]) => [
    () => sumTo(left(dy!, a!, b!, y!), a!.shape),
    () => sumTo(right(dy!, a!, b!, y!), b!.shape),
  ],
});

/** The gradient of each elementwise kernel. */
export const gradients: Gradients = {
  ...Object.fromEntries(Object.entries(unary).map(([name, entry]) => [name, unaryGradient(entry)])),
  ...Object.fromEntries(Object.entries(binary).map(([name, entry]) => [name, binaryGradient(entry)])),
  Prelu: binaryGradient(binary["Prelu"]!, ["x", "alpha"]),
  Select: {
    inputs: ["condition", "t", "e"],
    gradient: ([dy], [condition]) => [
      () => zeros(condition!.shape),
      () => where(condition!, dy!, 0),
      () => where(logicalNot(condition!), dy!, 0),
    ],
  },
  AddN: { inputs: "list", gradient: ([dy], inputs) => inputs.map(() => () => clone(dy!)) },
};
