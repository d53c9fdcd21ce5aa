/** The largest of each window of pictures, [batch, height, width, channels], with its gradient. */
import { backend_util, engine, type Tensor } from "@tensorflow/tfjs-core";
import type { Graph, Value } from "./graph.ts";
import type { Gradients, Kernels, Settings } from "./kernel.ts";
import { elementwise, pad, reshape, slice, strided, transpose } from "./operators.ts";

/** From channels last to channels first, and back. */
const FIRST = [0, 3, 1, 2], LAST = [0, 2, 3, 1];

type Shape4 = [number, number, number, number];

interface Windows {
  readonly filter: readonly [number, number];
  readonly strides: readonly [number, number];
  /** Rows above, columns to the left, rows below, columns to the right that stand outside the picture. */
  readonly pads: readonly [number, number, number, number];
  readonly out: Shape4;
}

function windows(x: readonly number[], { filterSize, strides, pad, dimRoundingMode }: Settings): Windows {
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo, outShape } = backend_util
    .computePool2DInfo(
      x as Shape4,
      filterSize as number,
      strides as number,
      1,
      pad as "valid",
      dimRoundingMode as "floor",
    );
  const { top, left, bottom, right } = padInfo;
  return {
    filter: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    pads: [top, left, bottom, right],
    out: outShape as Shape4,
  };
}

/** How pooling and its gradient are recorded. */
export const kernels: Kernels = {
  MaxPool: (graph, { x }, settings) => {
    const { filter, strides, pads, out } = windows(x!.shape, settings);
    const value = graph.add({
      op: "MaxPool",
      inputs: [transpose(graph, x!, FIRST)],
      attributes: { kernel_shape: filter, strides, pads },
      shape: FIRST.map((axis) => out[axis]!),
      dtype: "float32",
    });
    return transpose(graph, value, LAST);
  },
  MaxPoolGrad: (graph, { dy, input, output }, settings) =>
    toFirst(graph, dy!, input!, output!, windows(input!.shape, settings)),
};

// The gradient goes to the first element, row by row, that attains a window's largest, as in PyTorch and JAX. One place
// of all windows after the other, so that sums have one order on every provider; ONNX's scatters do not say theirs.
function toFirst(graph: Graph, dy: Value, x: Value, y: Value, at: Windows): Value {
  const { filter: [height, width], strides, pads: [top, left, bottom, right], out } = at;
  const [batch, rows, columns, channels] = out;
  const padded = pad(graph, x, [0, top, left, 0], [0, bottom, right, 0], -Infinity);
  const extents = padded.shape;
  // Rows and columns that the dilated gradient spans, at most one stride more than the windows.
  const spread: Shape4 = [batch, rows * strides[0], columns * strides[1], channels];
  let free: Value | undefined, total: Value | undefined;
  for (let place = 0; place < height * width; place++) {
    const i = Math.floor(place / width), j = place % width;
    const part = strided(graph, padded, [0, i, j, 0], out, [1, ...strides, 1]);
    const equal = elementwise(graph, "Equal", [part, y]);
    const taken = free ? elementwise(graph, "And", [equal, free]) : equal;
    const rest = elementwise(graph, "Not", [equal]);
    free = free ? elementwise(graph, "And", [free, rest]) : rest;
    const share = elementwise(graph, "Where", [taken, dy, graph.splat(0)]);
    // Zeros between the elements, then moved to where they came from.
    const apart = pad(
      graph,
      reshape(graph, share, [batch, rows, 1, columns, 1, channels]),
      [0, 0, 0, 0, 0, 0],
      [0, 0, strides[0] - 1, 0, strides[1] - 1, 0],
    );
    const long = pad(graph, reshape(graph, apart, spread), [0, i, j, 0], [
      0,
      Math.max(0, extents[1]! - i - spread[1]),
      Math.max(0, extents[2]! - j - spread[2]),
      0,
    ]);
    const moved = slice(graph, long, [0, 0, 0, 0], extents);
    total = total ? elementwise(graph, "Add", [total, moved]) : moved;
  }
  return slice(graph, total!, [0, top, left, 0], x.shape);
}

/** The gradient of pooling. */
export const gradients: Gradients = {
  MaxPool: {
    inputs: ["x"],
    outputs: 1,
    gradient: ([dy], [input], [output], { filterSize, strides, pad, dimRoundingMode }) => [
      // tfjs-core does not export this function, but every backend has its kernel.
      () =>
        engine().runKernel(
          "MaxPoolGrad",
          { dy: dy!, input: input!, output: output! },
          { filterSize, strides, pad, dimRoundingMode } as never,
        ) as Tensor,
    ],
  },
};
