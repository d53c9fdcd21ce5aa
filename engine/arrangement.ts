/** Kernels that move, repeat or make elements, with their gradients. */
import {
  concat as concatTensors,
  pad,
  reshape as reshapeTensor,
  reverse,
  slice as sliceTensor,
  stack,
  sum,
  type Tensor,
  transpose as transposeTensor,
  unstack,
  util,
  zeros,
} from "@tensorflow/tfjs-core";
import type { DType, Graph, Value } from "./graph.ts";
import type { Gradients, Kernels, Settings } from "./kernel.ts";
import { cast, concat, expand, pad as padValue, reshape, slice, sliceAxis, transpose } from "./operators.ts";
import { size } from "../ndarray.ts";

function axisOf(settings: Settings, shape: readonly number[]): number {
  return util.parseAxisParam((settings["axis"] ?? settings["dim"] ?? 0) as number, [...shape])[0]!;
}

// A slice's length of -1 reaches to the end.
function bounds(shape: readonly number[], { begin, size }: Settings): [number[], number[]] {
  const start = shape.map((_, i) => (typeof begin === "number" ? [begin] : begin as number[])[i] ?? 0);
  const given =
    (size === undefined || size === null ? [] : typeof size === "number" ? [size] : size) as number[];
  return [
    start,
    shape.map((extent, i) => given[i] === undefined || given[i] < 0 ? extent - start[i]! : given[i]!),
  ];
}

function splitSizes(shape: readonly number[], axis: number, settings: Settings): number[] {
  const sizes = settings["numOrSizeSplits"] as number | number[];
  if (typeof sizes === "number") return Array.from({ length: sizes }, () => shape[axis]! / sizes);
  const known = sizes.reduce((total, extent) => total + Math.max(extent, 0), 0);
  return sizes.map((extent) => extent < 0 ? shape[axis]! - known : extent);
}

function series(graph: Graph, length: number, at: (i: number) => number, dtype: DType): Value {
  return graph.constant(Array.from({ length }, (_, i) => at(i)), [length], dtype);
}

/** How each arranging kernel is recorded. */
export const kernels: Kernels = {
  Reshape: (graph, { x }, { shape }) => {
    const wanted = shape as number[];
    const rest = size(x!.shape) / size(wanted.map((extent) => extent < 0 ? 1 : extent));
    return reshape(graph, x!, wanted.map((extent) => extent < 0 ? rest : extent));
  },
  ExpandDims: (graph, { input }, { dim }) => {
    const at = dim as number < 0 ? input!.shape.length + (dim as number) + 1 : dim as number;
    return reshape(graph, input!, [...input!.shape.slice(0, at), 1, ...input!.shape.slice(at)]);
  },
  Transpose: (graph, { x }, { perm }) => transpose(graph, x!, perm as number[]),
  Concat: (graph, inputs, settings) => {
    const parts = Object.values(inputs).filter((part) => size(part.shape) > 0);
    const axis = axisOf(settings, Object.values(inputs)[0]!.shape);
    return parts.length === 1 ? parts[0]! : concat(graph, parts, axis);
  },
  Pack: (graph, inputs, { axis }) => {
    const parts = Object.values(inputs);
    const at = axis as number < 0 ? parts[0]!.shape.length + (axis as number) + 1 : axis as number;
    const widen = (part: Value) =>
      reshape(graph, part, [...part.shape.slice(0, at), 1, ...part.shape.slice(at)]);
    return concat(graph, parts.map(widen), at);
  },
  Unpack: (graph, { value }, settings) => {
    const axis = axisOf(settings, value!.shape);
    const shape = value!.shape.filter((_, i) => i !== axis);
    return Array.from(
      { length: value!.shape[axis]! },
      (_, i) => reshape(graph, sliceAxis(graph, value!, axis, i, 1), shape),
    );
  },
  SplitV: (graph, { x }, settings) => {
    const axis = axisOf(settings, x!.shape);
    let start = 0;
    return splitSizes(x!.shape, axis, settings).map((length) => {
      const part = sliceAxis(graph, x!, axis, start, length);
      start += length;
      return part;
    });
  },
  Slice: (graph, { x }, settings) => slice(graph, x!, ...bounds(x!.shape, settings)),
  Reverse: (graph, { x }, { dims }) => {
    const axes = util.parseAxisParam(dims as number | number[], [...x!.shape]);
    return graph.add({ op: "Reverse", inputs: [x!], attributes: { axes }, shape: x!.shape, dtype: x!.dtype });
  },
  PadV2: (graph, { x }, { paddings, constantValue }) => {
    const [before, after] = [0, 1].map((side) => (paddings as [number, number][]).map((pair) => pair[side]!));
    return padValue(graph, x!, before!, after!, constantValue as number);
  },
  Tile: (graph, { x }, { reps }) => {
    const repeats = reps as number[];
    const shape = x!.shape.map((extent, i) => extent * repeats[i]!);
    if (x!.shape.every((extent, i) => extent === 1 || repeats[i] === 1)) return expand(graph, x!, shape);
    return graph.add({ op: "Tile", inputs: [x!], attributes: { repeats }, shape, dtype: x!.dtype });
  },
  BroadcastTo: (graph, { x }, { shape }) => expand(graph, x!, shape as number[]),
  Fill: (graph, _inputs, { shape, value, dtype }) =>
    graph.splat(value as number, shape as number[], dtype as DType),
  Range: (graph, _inputs, { start, stop, step, dtype }) => {
    const [from, to, by] = [start as number, stop as number, step as number];
    return series(graph, Math.max(Math.ceil((to - from) / by), 0), (i) => from + i * by, dtype as DType);
  },
  LinSpace: (graph, _inputs, { start, stop, num }) => {
    const by = (stop as number - (start as number)) / Math.max(num as number - 1, 1);
    return series(graph, num as number, (i) => start as number + i * by, "float32");
  },
  OneHot: (graph, { indices }, { depth, onValue, offValue, dtype }) => {
    const classes = series(graph, depth as number, (i) => i, "int32");
    const hot = graph.add({
      op: "Equal",
      inputs: [reshape(graph, cast(graph, indices!, "int32"), [...indices!.shape, 1]), classes],
      shape: [...indices!.shape, depth as number],
      dtype: "bool",
    });
    const values = [onValue, offValue].map((value) => graph.splat(value as number, [], dtype as DType));
    return graph.add({ op: "Where", inputs: [hot, ...values], shape: hot.shape, dtype: dtype as DType });
  },
};

// Sums the copies: [r·n] is seen as [r, n] along every repeated axis.
function untile(dy: Tensor, x: Tensor, repeats: number[]): Tensor {
  const shape = x.shape.flatMap((extent, i) => [repeats[i]!, extent]);
  const axes = repeats.flatMap((count, i) => count > 1 ? [2 * i] : []);
  return reshapeTensor(axes.length > 0 ? sum(reshapeTensor(dy, shape), axes) : dy, x.shape);
}

/** The gradient of each arranging kernel. */
export const gradients: Gradients = {
  Reshape: { inputs: ["x"], gradient: ([dy], [x]) => [() => reshapeTensor(dy!, x!.shape)] },
  ExpandDims: { inputs: ["input"], gradient: ([dy], [input]) => [() => reshapeTensor(dy!, input!.shape)] },
  Transpose: {
    inputs: ["x"],
    gradient: ([dy], _inputs, _outputs, { perm }) => [
      () => transposeTensor(dy!, (perm as number[]).map((_, axis) => (perm as number[]).indexOf(axis))),
    ],
  },
  Concat: {
    inputs: "list",
    gradient: ([dy], inputs, _outputs, settings) => {
      const axis = axisOf(settings, inputs[0]!.shape);
      let end = 0;
      return inputs.map((input) => {
        const begin = input.shape.map((_, i) => i === axis ? end : 0);
        end += input.shape[axis]!;
        return () => sliceTensor(dy!, begin, input.shape);
      });
    },
  },
  Pack: {
    inputs: "list",
    gradient: ([dy], inputs, _outputs, { axis }) => {
      const parts = unstack(dy!, axis as number);
      return inputs.map((_, i) => () => parts[i]!);
    },
  },
  Unpack: {
    inputs: ["value"],
    gradient: (dys, _inputs, _outputs, { axis }) => [() => stack(dys, axis as number)],
  },
  SplitV: {
    inputs: ["x"],
    gradient: (dys, _inputs, _outputs, { axis }) => [() => concatTensors(dys, axis as number)],
  },
  Slice: {
    inputs: ["x"],
    gradient: ([dy], [x], _outputs, settings) => {
      const [start, length] = bounds(x!.shape, settings);
      return [
        () =>
          pad(
            dy!,
            x!.shape.map((extent, i): [number, number] => [start[i]!, extent - start[i]! - length[i]!]),
          ),
      ];
    },
  },
  Reverse: {
    inputs: ["x"],
    gradient: ([dy], _inputs, _outputs, { dims }) => [() => reverse(dy!, dims as number | number[])],
  },
  PadV2: {
    inputs: ["x"],
    gradient: ([dy], [x], _outputs, { paddings }) => [
      () => sliceTensor(dy!, (paddings as [number, number][]).map(([before]) => before), x!.shape),
    ],
  },
  Tile: {
    inputs: ["x"],
    gradient: ([dy], [x], _outputs, { reps }) => [() => untile(dy!, x!, reps as number[])],
  },
  OneHot: { inputs: ["indices"], gradient: (_dy, [indices]) => [() => zeros(indices!.shape)] },
};
