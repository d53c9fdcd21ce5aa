/**
 * The encoder of DSRL's pixel agent (github.com/nakamotoo/dsrl_pi0, encoder "small"): pictures / 255, four 3 x 3
 * convolutions of 32 filters with strides 2, 1, 1, 1 and ReLU, no padding; flattened, a dense layer to 50 numbers,
 * layer normalisation, tanh.
 *
 * Encoder "actor/encoder" holds "actor/encoder/conv/i/kernel" [3, 3, in, out] and ".../bias" [out], and the dense layer
 * "actor/encoder/latent/kernel" [flat, latent], ".../bias", ".../gain" and ".../shift" [latent].
 */
import {
  add,
  conv2d,
  div,
  matMul,
  relu,
  reshape,
  tanh,
  type Tensor,
  type Tensor4D,
} from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { layerNorm } from "../engine/normalize.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";
import { orthogonal, xavierNormal } from "./initializers.ts";
import { entry } from "./weights.ts";

/** Strides of the convolutions; their number is the encoder's depth. */
const strides = [2, 1, 1, 1] as const;
const kernelEdge = 3;

/** Extents of an encoder. */
export interface PixelEncoderSizes {
  /** Rows of a picture; at least 17, such that every convolution has a position. */
  readonly height: number;
  /** Pixels in a row, as many at least. */
  readonly width: number;
  /** Numbers of a pixel: 3 for each camera. */
  readonly channels: number;
  /** Filters of each convolution; 32 unless said. */
  readonly filters?: number;
  /** Numbers that come out; 50 unless said. */
  readonly latent?: number;
}

const smallest = 17;

/**
 * Draws the weights of encoder `name` as the public agent does: convolutions orthogonal times √2, the dense kernel
 * Xavier normal, biases and shifts 0, gains 1.
 *
 * @throws {RangeError} when the pictures are too small
 */
export function initializePixelEncoder(stream: Stream, name: string, sizes: PixelEncoderSizes): Tensors {
  const { height, width, channels, filters = 32, latent = 50 } = sizes;
  if (height < smallest || width < smallest) {
    throw new RangeError(
      `Cannot encode pictures of ${width} x ${height}: each edge must have ${smallest} pixels or more`,
    );
  }
  const weights: Tensors = {};
  let [rows, columns, depth] = [height, width, channels];
  const reduced = (extent: number, stride: number) => Math.floor((extent - kernelEdge) / stride) + 1;
  for (const [i, stride] of strides.entries()) {
    const shape = [kernelEdge, kernelEdge, depth, filters];
    weights[`${name}/conv/${i}/kernel`] = orthogonal(stream, shape, Math.SQRT2);
    weights[`${name}/conv/${i}/bias`] = ndarray([filters]);
    [rows, columns, depth] = [reduced(rows, stride), reduced(columns, stride), filters];
  }
  weights[`${name}/latent/kernel`] = xavierNormal(stream, [rows * columns * depth, latent]);
  weights[`${name}/latent/bias`] = ndarray([latent]);
  weights[`${name}/latent/gain`] = ndarray([latent], new Float32Array(latent).fill(1));
  weights[`${name}/latent/shift`] = ndarray([latent]);
  return weights;
}

/** What encoder `name` makes of pictures [B, height, width, channels] with numbers 0 ... 255: [B, latent] in (-1, 1). */
export function encodePixels(weights: Weights, name: string, pictures: Tensor): Tensor {
  let h = div(pictures, 255);
  for (const [i, stride] of strides.entries()) {
    const layer = `${name}/conv/${i}`;
    const filtered = conv2d(h as Tensor4D, entry(weights, `${layer}/kernel`) as Tensor4D, stride, "valid");
    h = relu(add(filtered, entry(weights, `${layer}/bias`)));
  }
  const latent = `${name}/latent`;
  const dense = matMul(reshape(h, [h.shape[0]!, -1]), entry(weights, `${latent}/kernel`));
  return tanh(layerNorm(
    add(dense, entry(weights, `${latent}/bias`)),
    entry(weights, `${latent}/gain`),
    entry(weights, `${latent}/shift`),
  ));
}
