/**
 * The ResNetV1-10 of SERL (github.com/rail-berkeley/serl, vision/resnet_v1.py) up to its last pictures of features: its
 * trunk, frozen wherever a method uses it.
 *
 * Pictures with numbers 0 ... 255, ImageNet's mean and deviation, a convolution 7 x 7 of stride 2, group normalisation
 * (4 groups), ReLU, the largest of 3 x 3 with stride 2, then four stages of one block of two convolutions 3 x 3 with 64,
 * 128, 256 and 512 filters; from the second on the first has stride 2 and the shortcut a convolution 1 x 1.
 *
 * Weights are named as in SERL's released pickle, below "trunk/": "conv_init/kernel", "norm_init/scale" and "/bias",
 * "ResNetBlock_i/Conv_0/kernel", ".../MyGroupNorm_0/scale", ".../conv_proj/kernel", ".../norm_proj/scale". Kernels are
 * [height, width, in, out].
 */
import {
  add,
  conv2d,
  div,
  maxPool,
  mul,
  ones,
  pad,
  relu,
  reshape,
  sub,
  type Tensor,
  type Tensor4D,
  transpose,
  zeros,
} from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { layerNorm } from "../engine/normalize.ts";
import { constant, type Shapes } from "../engine/trace.ts";
import { ndarray, size, type Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";
import { entry, part } from "./weights.ts";

const GROUPS = 4;
const EPSILON = 1e-5;
/** Filters of the stages. */
const filters = [64, 128, 256, 512] as const;
/** ImageNet's mean and standard deviation of red, green and blue, of numbers 0 ... 1. */
const MEAN = [0.485, 0.456, 0.406], DEVIATION = [0.229, 0.224, 0.225];

/** Rows and columns of a picture come down by this factor. */
export const REDUCTION = 32;
/** Numbers at each place of the trunk's result. */
export const DEPTH = filters[3];

/** Shapes of all weights of a trunk. */
export function trunkShapes(): Shapes {
  const shapes: Record<string, readonly number[]> = {};
  const convolution = (conv: string, norm: string, kernel: readonly number[]) => {
    shapes[`trunk/${conv}/kernel`] = kernel;
    shapes[`trunk/${norm}/scale`] = [kernel[3]!];
    shapes[`trunk/${norm}/bias`] = [kernel[3]!];
  };
  convolution("conv_init", "norm_init", [7, 7, 3, filters[0]]);
  for (const [i, out] of filters.entries()) {
    const block = `ResNetBlock_${i}`, into = filters[Math.max(0, i - 1)]!;
    convolution(`${block}/Conv_0`, `${block}/MyGroupNorm_0`, [3, 3, into, out]);
    convolution(`${block}/Conv_1`, `${block}/MyGroupNorm_1`, [3, 3, out, out]);
    if (i > 0) convolution(`${block}/conv_proj`, `${block}/norm_proj`, [1, 1, into, out]);
  }
  return shapes;
}

/**
 * Draws a trunk that has learned nothing, as SERL draws one before it loads the released weights: kernels N(0, 2 / in)
 * ("Kaiming normal"; Flax cuts it off at two deviations, this does not), scales 1, biases 0.
 */
export function drawTrunk(stream: Stream): Tensors {
  return Object.fromEntries(
    Object.entries(trunkShapes()).map(([name, shape]) => {
      const x = ndarray(shape);
      if (name.endsWith("/scale")) x.data.fill(1);
      else if (name.endsWith("/kernel")) {
        stream.fillNormal(x.data);
        const deviation = Math.sqrt(2 / (size(shape) / shape[3]!));
        for (let i = 0; i < x.data.length; i++) x.data[i]! *= deviation;
      }
      return [name, x];
    }),
  );
}

/**
 * The trunk among the tensors of a file, below "trunk/" or, as the converter writes them, without it.
 *
 * @throws {RangeError} when a weight is missing or has another shape; the message names the file
 */
export function readTrunk(tensors: Tensors, file: string): Tensors {
  const below = part(tensors, "trunk");
  return Object.fromEntries(
    Object.entries(trunkShapes()).map(([name, shape]) => {
      const found = below[name] ?? tensors[name.slice("trunk/".length)];
      if (!found || String(found.shape) !== String(shape)) {
        throw new RangeError(
          `Cannot read the ResNet of ${file}: "${name.slice("trunk/".length)}" must be [${shape}]` +
            (found ? `, not [${found.shape}]` : "; the file has no such tensor"),
        );
      }
      return [name, found];
    }),
  );
}

/** Extents of the trunk's result for pictures of `height` x `width`. */
export function featureShape(height: number, width: number): [rows: number, columns: number, depth: number] {
  return [Math.ceil(height / REDUCTION), Math.ceil(width / REDUCTION), DEPTH];
}

/** Pictures [B, height, width, 3] with numbers 0 ... 255 → [B, height / 32, width / 32, 512], rounded up. */
export function trunk(weights: Weights, pictures: Tensor): Tensor {
  const colors = (values: number[]) => constant(ndarray([3], Float32Array.from(values)));
  const normalized = div(sub(div(pictures, 255), colors(MEAN)), colors(DEVIATION));
  const framed = pad(normalized as Tensor4D, [[0, 0], [3, 3], [3, 3], [0, 0]]);
  let h = convolve(weights, "conv_init", framed, 2, "valid");
  h = relu(normalize(weights, "norm_init", h));
  h = maxPool(h as Tensor4D, 3, 2, "same");
  for (let i = 0; i < filters.length; i++) h = block(weights, `ResNetBlock_${i}`, h, i > 0 ? 2 : 1);
  return h;
}

function block(weights: Weights, name: string, x: Tensor, stride: number): Tensor {
  const first = normalize(
    weights,
    `${name}/MyGroupNorm_0`,
    convolve(weights, `${name}/Conv_0`, x, stride, "same"),
  );
  const second = normalize(
    weights,
    `${name}/MyGroupNorm_1`,
    convolve(weights, `${name}/Conv_1`, relu(first), 1, "same"),
  );
  const shortcut = stride === 1 ? x : normalize(
    weights,
    `${name}/norm_proj`,
    convolve(weights, `${name}/conv_proj`, x, stride, "same"),
  );
  return relu(add(shortcut, second));
}

function convolve(weights: Weights, name: string, x: Tensor, stride: number, pad: "same" | "valid"): Tensor {
  return conv2d(x as Tensor4D, entry(weights, `trunk/${name}/kernel`) as Tensor4D, stride, pad);
}

// Statistics over rows, columns and the channels of a group, as one row of a layer normalisation.
function normalize(weights: Weights, name: string, x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const extent = height * width * channels / GROUPS;
  const groups = reshape(transpose(x, [0, 3, 1, 2]), [batch * GROUPS, extent]);
  const normalized = layerNorm(groups, ones([extent]), zeros([extent]), EPSILON);
  const back = transpose(reshape(normalized, [batch, channels, height, width]), [0, 2, 3, 1]);
  return add(mul(back, entry(weights, `trunk/${name}/scale`)), entry(weights, `trunk/${name}/bias`));
}
