/**
 * Convolutions over pictures, [batch, height, width, channels], with their gradients.
 *
 * ONNX wants channels in front, so every operand is transposed and the result transposed back; `passes_layout.ts` moves
 * those transpositions together, where they cancel.
 */
import { backend_util, engine, type Tensor } from "@tensorflow/tfjs-core";
import type { Graph, Value } from "./graph.ts";
import type { Gradients, Kernels, Settings } from "./kernel.ts";
import { concat, matMul, pad, reshape, slice, strided, transpose } from "./operators.ts";

/** From channels last to channels first, and back. */
const FIRST = [0, 3, 1, 2], LAST = [0, 2, 3, 1];
/** A filter [height, width, in, out] as ONNX has it, [out, in, height, width]. */
const FILTER = [3, 2, 0, 1];

/** Fewer channels are put side by side for one product: products with so few rows are slow. */
const NARROW = 8;

/** What tfjs-core calls a convolution's information, as far as it is used here. */
interface Geometry {
  readonly strides: readonly [number, number];
  /** Zeros above and left, then below and right. */
  readonly pads: readonly [number, number, number, number];
  /** Extents of the result, [batch, height, width, channels]. */
  readonly out: readonly [number, number, number, number];
}

type Shape4 = [number, number, number, number];

/** One side of a picture whose gradient is computed: its extent, and how the transposed convolution gets there. */
interface Side {
  readonly extent: number;
  /** Cut off at both ends. */
  readonly both: number;
  /** Added at the end. */
  readonly rest: number;
  /** Extent of the transposed convolution. */
  readonly whole: number;
}

function geometry(x: readonly number[], filter: readonly number[], settings: Settings): Geometry {
  const { strides, pad, dataFormat, dilations = 1, dimRoundingMode } = settings;
  if (dataFormat !== "NHWC" || [dilations].flat().some((rate) => rate !== 1)) {
    throw new Error(
      `Cannot trace a convolution of ${dataFormat} with dilations of ${dilations}: it must be NHWC without dilation`,
    );
  }
  const { strideHeight, strideWidth, padInfo, outShape } = backend_util.computeConv2DInfo(
    x as Shape4,
    filter as Shape4,
    strides as number,
    1,
    pad as "valid",
    dimRoundingMode as "floor",
  );
  const { top, left, bottom, right } = padInfo;
  return { strides: [strideHeight, strideWidth], pads: [top, left, bottom, right], out: outShape };
}

/** How convolutions and their gradients are recorded. */
export const kernels: Kernels = {
  Conv2D: (graph, { x, filter }, settings) => {
    const { strides, pads, out } = geometry(x!.shape, filter!.shape, settings);
    const value = graph.add({
      op: "Conv",
      inputs: [transpose(graph, x!, FIRST), transpose(graph, filter!, FILTER)],
      attributes: { strides, pads },
      shape: FIRST.map((axis) => out[axis]!),
      dtype: "float32",
    });
    return transpose(graph, value, LAST);
  },
  // Each element of dy spreads over the elements of x that it was computed from.
  Conv2DBackpropInput: (graph, { dy, filter }, settings) => {
    const shape = settings["inputShape"] as Shape4;
    const { strides, pads } = geometry(shape, filter!.shape, settings);
    const [height, width] = [0, 1].map((i) => {
      const padding = pads[i]! + pads[2 + i]!, extent = shape[1 + i]!;
      const reach = (dy!.shape[1 + i]! - 1) * strides[i]! + filter!.shape[i]!;
      // NOTE: a GPU has no kernel that cuts off more at one side than at the other: what is left over goes afterwards.
      const both = Math.min(pads[i]!, pads[2 + i]!);
      // Rows and columns at the end that no position of the filter reached have no gradient; ONNX must be told of them.
      return { extent, both, rest: extent + padding - reach, whole: extent + padding - 2 * both };
    }) as [Side, Side];
    const [batch, , , channels] = shape;
    const value = graph.add({
      op: "ConvTranspose",
      inputs: [transpose(graph, dy!, FIRST), transpose(graph, filter!, FILTER)],
      attributes: {
        strides,
        pads: [height.both, width.both, height.both, width.both],
        output_padding: [height.rest, width.rest],
      },
      shape: [batch, channels, height.whole, width.whole],
      dtype: "float32",
    });
    const wanted = [batch, channels, height.extent, width.extent];
    const cut = String(value.shape) === String(wanted)
      ? value
      : slice(graph, value, [0, 0, pads[0] - height.both, pads[1] - width.both], wanted);
    return transpose(graph, cut, LAST);
  },
  Conv2DBackpropFilter: (graph, { x, dy }, settings) => {
    const shape = settings["filterShape"] as Shape4;
    const at = geometry(x!.shape, shape, settings);
    return filterGradient(graph, x!, dy!, shape, at);
  },
};

// For every place (i, j) of the filter: the elements of x that it met, [in, positions], times dy, [positions, out].
// NOTE: by measurement. As one convolution of x by dy it takes twice as long, with rows of patches [positions, places x
// in], whose product is transposed, too.
function filterGradient(
  graph: Graph,
  x: Value,
  dy: Value,
  [height, width, channels, filters]: Shape4,
  { strides, pads: [top, left, bottom, right], out: [batch, rows, columns] }: Geometry,
): Value {
  const padded = top + left + bottom + right === 0
    ? x
    : pad(graph, x, [0, top, left, 0], [0, bottom, right, 0]);
  const planes = transpose(graph, padded, [3, 0, 1, 2]); // [in, batch, height, width]
  const positions = batch * rows * columns;
  const met = Array.from({ length: height * width }, (_, place) => {
    const start = [0, 0, Math.floor(place / width), place % width];
    const lengths = [channels, batch, rows, columns];
    const part = strides[0] === 1 && strides[1] === 1
      ? slice(graph, planes, start, lengths)
      : strided(graph, planes, start, lengths, [1, 1, ...strides]);
    return reshape(graph, part, [channels, positions]);
  });
  const gradient = reshape(graph, dy, [positions, filters]);
  const products = channels < NARROW
    ? matMul(graph, [concat(graph, met, 0), gradient])
    : concat(graph, met.map((part) => matMul(graph, [part, gradient])), 0);
  return reshape(graph, products, [height, width, channels, filters]);
}

// tfjs-core does not export these two functions, but every backend has their kernels.
function backprop(
  kernel: string,
  inputs: Record<string, Tensor>,
  settings: Settings,
  more: Settings,
): Tensor {
  const { strides, pad, dataFormat, dimRoundingMode } = settings;
  return engine().runKernel(
    kernel,
    inputs,
    { strides, pad, dataFormat, dimRoundingMode, ...more } as Parameters<
      ReturnType<typeof engine>["runKernel"]
    >[2],
  ) as Tensor;
}

/** The gradients of convolutions. */
export const gradients: Gradients = {
  Conv2D: {
    inputs: ["x", "filter"],
    gradient: ([dy], [x, filter], _outputs, settings) => [
      () => backprop("Conv2DBackpropInput", { dy: dy!, filter: filter! }, settings, { inputShape: x!.shape }),
      () => backprop("Conv2DBackpropFilter", { x: x!, dy: dy! }, settings, { filterShape: filter!.shape }),
    ],
  },
};
