/**
 * What a learner makes of its cameras: DSRL's small encoder (`pixel_encoder.ts`) over all of them, or for each camera the
 * frozen ResNet trunk (`resnet.ts`) with SERL's head: spatial learned embeddings, a dense layer, layer normalisation,
 * tanh (github.com/rail-berkeley/serl, vision/resnet_v1.py and common/encoding.py).
 *
 * Frames are pictures [B, height, width, 3 cameras] with numbers 0 ... 255, or what the trunk made of them, [B, cameras,
 * height / 32, width / 32, 512]. Head "NAME/CAMERA/embedding" is [rows, columns, 512, K]; its dense layer is
 * "NAME/CAMERA/kernel" [512 K, latent], ".../bias", ".../gain" and ".../shift" [latent].
 */
import {
  add,
  concat,
  matMul,
  reshape,
  slice,
  split,
  tanh,
  type Tensor,
  transpose,
} from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { layerNorm } from "../engine/normalize.ts";
import { stopGradient } from "../engine/trace.ts";
import { ndarray, size, type Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";
import { encodePixels, initializePixelEncoder } from "./pixel_encoder.ts";
import { featureShape, trunk } from "./resnet.ts";
import { entry } from "./weights.ts";

/** What looks at the frames. */
export type Encoder =
  | { readonly encoder: "small"; readonly filters: number; readonly latent: number }
  | {
    readonly encoder: "resnet";
    /** Numbers K that a head keeps of each of the trunk's channels; SERL: 8. */
    readonly embeddings: number;
    /** Numbers that come out for each camera; SERL: 256. */
    readonly latent: number;
  };

/** Extents of what is seen. */
export interface Cameras {
  /** Rows of a picture. */
  readonly height: number;
  /** Pixels in a row. */
  readonly width: number;
  /** Numbers of a pixel: three for each camera. */
  readonly channels: number;
}

/** Whether frames are pictures, or what the trunk made of them. */
export type FrameKind = "pictures" | "features";

/** Extents of a frame. */
export function frameShape({ height, width, channels }: Cameras, kind: FrameKind): readonly number[] {
  return kind === "pictures" ? [height, width, channels] : [channels / 3, ...featureShape(height, width)];
}

/** Numbers that come out of an encoder. */
export function encodedWidth({ channels }: Cameras, form: Encoder): number {
  return form.encoder === "small" ? form.latent : form.latent * channels / 3;
}

/**
 * A dense layer's weights "NAME/kernel" [input, output], N(0, 1 / input), "/bias" 0, and a layer normalisation's "/gain" 1
 * and "/shift" 0 behind it.
 */
export function initializeNormalizedDense(
  stream: Stream,
  name: string,
  input: number,
  output: number,
): Tensors {
  const kernel = ndarray([input, output]);
  stream.fillNormal(kernel.data);
  for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! /= Math.sqrt(input);
  return {
    [`${name}/kernel`]: kernel,
    [`${name}/bias`]: ndarray([output]),
    [`${name}/gain`]: ndarray([output], new Float32Array(output).fill(1)),
    [`${name}/shift`]: ndarray([output]),
  };
}

/** tanh(layerNorm(x W + b)): [B, input] → [B, output] in (-1, 1). */
export function normalizedDense(weights: Weights, name: string, x: Tensor): Tensor {
  const h = add(matMul(x, entry(weights, `${name}/kernel`)), entry(weights, `${name}/bias`));
  return tanh(layerNorm(h, entry(weights, `${name}/gain`), entry(weights, `${name}/shift`)));
}

/** Draws what is learned of encoder `name`: all of the small one, the heads of the ResNet. */
export function initializeEncoder(stream: Stream, name: string, cameras: Cameras, form: Encoder): Tensors {
  if (form.encoder === "small") return initializePixelEncoder(stream, name, { ...cameras, ...form });
  const extents = featureShape(cameras.height, cameras.width), weights: Tensors = {};
  for (let camera = 0; camera < cameras.channels / 3; camera++) {
    const embedding = ndarray([...extents, form.embeddings]);
    stream.fillNormal(embedding.data);
    // As Flax' LeCun initializer sees this shape: all axes but the last are inputs.
    const deviation = 1 / Math.sqrt(size(extents));
    for (let i = 0; i < embedding.data.length; i++) embedding.data[i]! *= deviation;
    weights[`${name}/${camera}/embedding`] = embedding;
    const flat = extents[2] * form.embeddings;
    Object.assign(weights, initializeNormalizedDense(stream, `${name}/${camera}`, flat, form.latent));
  }
  return weights;
}

/** Features [B, rows, columns, C] → [B, latent]: for each channel K sums over places, weighted by the embedding. */
export function spatialHead(weights: Weights, name: string, features: Tensor): Tensor {
  const [batch, rows, columns, channels] = features.shape as [number, number, number, number];
  const embedding = entry(weights, `${name}/embedding`), kept = embedding.shape[3]!;
  const places = rows * columns;
  const each = transpose(reshape(features, [batch, places, channels]), [2, 0, 1]); // [C, B, places]
  const by = transpose(reshape(embedding, [places, channels, kept]), [1, 0, 2]); // [C, places, K]
  const sums = transpose(matMul(each, by), [1, 0, 2]); // [B, C, K]
  return normalizedDense(weights, name, reshape(sums, [batch, channels * kept]));
}

/** What the trunk makes of the pictures of all cameras, [B, h, w, 3 cameras] → [B, cameras, rows, columns, 512]. */
export function trunkFeatures(trunkWeights: Weights, pictures: Tensor): Tensor {
  const [batch, height, width, channels] = pictures.shape as [number, number, number, number];
  const cameras = channels / 3;
  const apart = concat(cameras === 1 ? [pictures] : split(pictures, cameras, 3), 0);
  const features = trunk(trunkWeights, apart);
  const extents = featureShape(height, width);
  return transpose(reshape(features, [cameras, batch, ...extents]), [1, 0, 2, 3, 4]);
}

/**
 * What encoder `name` makes of frames: [B, encodedWidth]. Nothing is learned through the trunk.
 *
 * @param trunkWeights needed where a ResNet is to look at pictures
 * @throws {TypeError} when they are missing there
 */
export function encodeFrames(
  weights: Weights,
  name: string,
  frames: Tensor,
  form: Encoder,
  trunkWeights: Weights = {},
): Tensor {
  if (form.encoder === "small") return encodePixels(weights, name, frames);
  const features = frames.rank === 5 ? frames : stopGradient(trunkFeatures(trunkWeights, frames));
  const [batch, cameras, ...extents] = features.shape as [number, number, ...number[]];
  const heads = Array.from({ length: cameras }, (_, camera) => {
    const own = slice(features, [0, camera, 0, 0, 0], [batch, 1, ...extents]);
    return spatialHead(weights, `${name}/${camera}`, reshape(own, [batch, ...extents]));
  });
  return heads.length === 1 ? heads[0]! : concat(heads, 1);
}
