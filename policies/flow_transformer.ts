/**
 * The transformer as a flow policy's network: one token for each action of the chunk, with a learned position; time and
 * observation are the condition of every block and of the last normalisation (adaLN-Zero, `nn/transformer.ts`).
 *
 * Weights: "velocity/embed" [A, W], "velocity/position" [H, W], "velocity/time" [32, W], the observation's "velocity/0"
 * [F, W], "velocity/blocks/...", "velocity/last" [W, 2 W], "velocity/out" [W, A]; kernels with biases.
 */
import { add, expandDims, split, type Tensor } from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import {
  drawKernel,
  initializeBlocks,
  linear,
  modulated,
  silu,
  transformer,
  type TransformerSizes,
} from "../nn/transformer.ts";
import { entry } from "../nn/weights.ts";
import type { Stream } from "../random.ts";

/** Whether weights "velocity/…" are those of a transformer. */
export function isTransformer(weights: Readonly<Record<string, unknown>>): boolean {
  return "velocity/position" in weights;
}

/** v(o, x_t, t): features [B, F], chunk [B, H, A], features of the time [B, 32] → [B, H, A]. */
export function transformerVelocity(weights: Weights, features: Tensor, chunk: Tensor, time: Tensor): Tensor {
  const condition = add(linear(weights, "velocity/time", time), linear(weights, "velocity/0", features));
  const tokens = add(
    linear(weights, "velocity/embed", chunk),
    expandDims(entry(weights, "velocity/position"), 0),
  );
  const seen = transformer(weights, "velocity", tokens, condition);
  const [shift, scale] = split(linear(weights, "velocity/last", silu(condition)), 2, 1) as [Tensor, Tensor];
  return linear(weights, "velocity/out", modulated(seen, shift, scale));
}

/** Draws the weights: the last layer and all modulations are zero, so that the first velocity is 0. */
export function initializeTransformer(
  stream: Stream,
  { features, horizon, action, time }: {
    readonly features: number;
    readonly horizon: number;
    readonly action: number;
    readonly time: number;
  },
  network: TransformerSizes,
): Tensors {
  const { width } = network, weights: Tensors = {};
  const dense = (layer: string, input: number, output: number, scale = 1) => {
    weights[`velocity/${layer}/kernel`] = drawKernel(stream, [input, output], scale);
    weights[`velocity/${layer}/bias`] = ndarray([output]);
  };
  dense("embed", action, width);
  // As large as an embedded action, or positions would drown in it.
  weights["velocity/position"] = ndarray([horizon, width]);
  stream.fillNormal(weights["velocity/position"].data);
  dense("time", time, width);
  dense("0", features, width);
  Object.assign(weights, initializeBlocks(stream, "velocity", network));
  dense("last", width, 2 * width, 0);
  dense("out", width, action, 0);
  return weights;
}
