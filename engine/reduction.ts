/** Kernels that reduce axes, softmax and running sums, with their gradients. */
import {
  broadcastTo,
  cast as castTensor,
  cumsum,
  div,
  equal,
  mul,
  reshape as reshapeTensor,
  sub,
  sum,
  type Tensor,
  util,
  where,
  zeros,
} from "@tensorflow/tfjs-core";
import type { Value } from "./graph.ts";
import type { Gradient, Gradients, Kernel, Kernels, Settings } from "./kernel.ts";
import { cast, elementwise, reduce } from "./operators.ts";
import { size } from "../ndarray.ts";

// tfjs-core calls the axes of `Max` alone `reductionIndices`; a missing axis means all.
function axesOf(settings: Settings, rank: readonly number[]): number[] {
  const axis = (settings["axis"] ?? settings["reductionIndices"] ?? null) as number | number[] | null;
  return axis === null ? rank.map((_, i) => i) : util.parseAxisParam(axis, [...rank]);
}

const reduction = (op: string): Kernel => (graph, { x }, settings) =>
  reduce(graph, op, x!, axesOf(settings, x!.shape), settings["keepDims"] === true);

const logical = (op: string): Kernel => (graph, { x }, settings) =>
  cast(
    graph,
    reduce(graph, op, cast(graph, x!, "int32"), axesOf(settings, x!.shape), settings["keepDims"] === true),
    "bool",
  );

// The index of the first extreme element, found without ONNX's int64 ArgMax: the smallest index that attains it.
const argument = (op: string): Kernel => (graph, { x }, settings) => {
  const axis = axesOf(settings, x!.shape)[0]!;
  const extent = x!.shape[axis]!;
  const extreme = reduce(graph, op, x!, [axis], true);
  const shape = x!.shape.map((_, i) => i === axis ? extent : 1);
  const index = graph.constant(Int32Array.from({ length: extent }, (_, i) => i), shape, "int32");
  const candidates = elementwise(graph, "Where", [
    elementwise(graph, "Equal", [x!, extreme]),
    index,
    graph.splat(extent, [], "int32"),
  ]);
  return reduce(graph, "ReduceMin", candidates, [axis], false);
};

/** How each reduction is recorded. */
export const kernels: Kernels = {
  Sum: reduction("ReduceSum"),
  Mean: (graph, { x }, settings) =>
    reduction("ReduceMean")(graph, { x: cast(graph, x!, "float32") }, settings),
  Max: reduction("ReduceMax"),
  Min: reduction("ReduceMin"),
  Prod: reduction("ReduceProd"),
  All: logical("ReduceMin"),
  Any: logical("ReduceMax"),
  ArgMax: argument("ReduceMax"),
  ArgMin: argument("ReduceMin"),
  Softmax: (graph, { logits }) => softmax(graph, logits!, "Softmax"),
  LogSoftmax: (graph, { logits }) => softmax(graph, logits!, "LogSoftmax"),
  Cumsum: (graph, { x }, settings) => {
    const axis = util.parseAxisParam(settings["axis"] as number, [...x!.shape])[0]!;
    const attributes = {
      axis,
      exclusive: Number(settings["exclusive"]),
      reverse: Number(settings["reverse"]),
    };
    return graph.add({ op: "CumSum", inputs: [x!], attributes, shape: x!.shape, dtype: x!.dtype });
  },
};

function softmax(graph: Parameters<Kernel>[0], x: Value, op: string): Value {
  const axis = x.shape.length - 1;
  return graph.add({ op, inputs: [x], attributes: { axis }, shape: x.shape, dtype: "float32" });
}

// Gives a reduced tensor back the axes it lost, with extent 1.
function keep(reduced: Tensor, shape: number[], settings: Settings): Tensor {
  const axes = axesOf(settings, shape);
  return reshapeTensor(reduced, shape.map((extent, i) => axes.includes(i) ? 1 : extent));
}

// Every element that attains the extreme receives the whole gradient.
const extreme: Gradient = {
  inputs: ["x"],
  outputs: 1,
  gradient: ([dy], [x], [y], settings) => [
    () => where(equal(x!, keep(y!, x!.shape, settings)), keep(dy!, x!.shape, settings), 0),
  ],
};

const nothing: Gradient = { inputs: ["x"], gradient: (_dy, [x]) => [() => zeros(x!.shape)] };

/** The gradient of each reduction. */
export const gradients: Gradients = {
  Sum: {
    inputs: ["x"],
    gradient: ([dy], [x], _outputs, settings) => [
      () => broadcastTo(keep(castTensor(dy!, "float32"), x!.shape, settings), x!.shape),
    ],
  },
  Mean: {
    inputs: ["x"],
    gradient: ([dy], [x], _outputs, settings) => {
      const count = size(axesOf(settings, x!.shape).map((axis) => x!.shape[axis]!));
      return [() => broadcastTo(keep(div(dy!, count), x!.shape, settings), x!.shape)];
    },
  },
  Max: extreme,
  Min: extreme,
  All: nothing,
  Any: nothing,
  ArgMax: nothing,
  ArgMin: nothing,
  Softmax: {
    inputs: ["logits"],
    outputs: 1,
    gradient: ([dy], _inputs, [y]) => [() => mul(sub(dy!, sum(mul(dy!, y!), -1, true)), y!)],
  },
  Cumsum: {
    inputs: ["x"],
    gradient: ([dy], _inputs, _outputs, { axis, exclusive, reverse }) => [
      () => cumsum(dy!, axis as number, exclusive as boolean, !reverse),
    ],
  },
};
