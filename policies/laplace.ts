/**
 * A chunk policy with a likelihood, for policy gradients: every number of a chunk is Laplace distributed around a mean,
 * the head that RIPT puts on OpenVLA-OFT (Tan et al. 2025, arXiv:2505.17016, and its public code: log-scale held in
 * [-2, 0.5]). log p(a) = -log b - |a - μ| / b - log 2. Two networks of the features: "mean/…" gives μ, "scale/…" log b.
 * All tensors are normalised; `laplace_policy.ts` deals with units.
 */
import {
  abs,
  add,
  clipByValue,
  div,
  exp,
  mean as average,
  mul,
  neg,
  reshape,
  type Scalar,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import type { Shapes } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, siluMlp } from "../nn/mlp.ts";
import * as groups from "../nn/parameter_groups.ts";
import { shapesOf } from "../nn/weights.ts";
import type { Stream } from "../random.ts";
import type { Sizes } from "./flow.ts";

/** Bounds of log b, in normalised units; outside, it passes no gradient. */
export const LOG_SCALE = { min: -2, max: 0.5 } as const;

/** Networks and cloning; the defaults train a tabletop base in under a minute. */
export const hyperparameters = groups.optimization.extend({
  steps: z.int().min(1).default(4000).describe("Gradient steps"),
  warmup: z.int().min(0).default(100).describe("Steps of linear growth to the peak learning rates"),
  decayTo: z.number().min(0).max(1).default(0).describe(
    "Learning rates at the last step as a share of their peaks, along half a cosine",
  ),
  weightDecay: z.number().min(0).default(1e-4).describe("AdamW decay (betas 0.9, 0.95)"),
  ema: z.number().min(0).max(1).default(0.999).describe("Decay of the averaged weights, those that act"),
  model: groups.optimization.shape.model.unwrap().extend({
    learningRate: z.number().positive().default(1e-3).describe("Peak AdamW step size of the mean"),
  }).prefault({}),
  header: groups.optimization.shape.header.unwrap().extend({
    weights: z.array(z.string().min(1)).min(1).default(["scale"]).describe(
      "What group header holds: names of weights, or paths they lie below; model holds the rest",
    ),
    learningRate: z.number().positive().default(1e-3).describe("Peak AdamW step size of the scale"),
  }).prefault({}),
  layers: z.int().min(1).default(3).describe("Hidden layers of the mean, SiLU"),
  width: z.int().min(1).default(256).describe("Units of a hidden layer of the mean"),
  scaleWidth: z.int().min(1).default(64).describe("Units of the one hidden layer of the scale"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** The distribution of chunks: μ and log b, [B, H, A] each. */
export interface Head {
  /** μ. */
  readonly mean: Tensor;
  /** log b, within `LOG_SCALE`. */
  readonly logScale: Tensor;
}

/** μ and log b for features [B, F], in the given shape [B, H, A]. */
export function head(weights: Weights, features: Tensor, shape: readonly [number, number, number]): Head {
  const of = (name: string) => reshape(siluMlp(weights, name, features), [...shape]);
  return { mean: of("mean"), logScale: clipByValue(of("scale"), LOG_SCALE.min, LOG_SCALE.max) };
}

/** log p(a) of every number, [B, H, A]. */
export function logDensity({ mean, logScale }: Head, actions: Tensor): Tensor {
  return sub(neg(add(logScale, div(abs(sub(actions, mean)), exp(logScale)))), Math.LN2);
}

/** A draw: μ + b ε with ε from `drawNoise`. */
export function draw({ mean, logScale }: Head, noise: Tensor): Tensor {
  return add(mean, mul(exp(logScale), noise));
}

/** Fills `out` with standard Laplace numbers (μ = 0, b = 1), by inversion. */
export function drawNoise(stream: Stream, out: Float32Array): Float32Array {
  for (let i = 0; i < out.length; i++) {
    const u = stream.uniform(-0.5, 0.5);
    out[i] = -Math.sign(u) * Math.log1p(-2 * Math.min(Math.abs(u), 0.5 - 2 ** -54));
  }
  return out;
}

/** Chunks to clone: features [B, F], actions [B, H, A], weight of each step [B, H]. */
export type Minibatch = Readonly<Record<"features" | "actions" | "weight", Tensor>>;

/** L = -Σ w mean_A log p(a) / Σ w, over rows and steps. */
export function cloneLoss(weights: Weights, b: Minibatch): Scalar {
  const distribution = head(weights, b.features, b.actions.shape as [number, number, number]);
  const step = average(logDensity(distribution, b.actions), 2); // [B, H, A] → [B, H]
  return neg(div(sum(mul(b.weight, step)), sum(b.weight)));
}

/** One gradient step of cloning for `compileUpdate` with `updateShapes`. */
export function update(h: Hyperparameters) {
  return groups.update((weights, batch) => {
    return { loss: cloneLoss(weights, batch as unknown as Minibatch), metrics: {} };
  }, h);
}

/** Shapes of one step of `update`. */
export function updateShapes(
  state: Tensors,
  { features, horizon, action }: Sizes,
  { batch }: Hyperparameters,
): { state: Shapes; batch: Shapes } {
  return {
    state: shapesOf(state),
    batch: { features: [batch, features], actions: [batch, horizon, action], weight: [batch, horizon] },
  };
}

/** A learner state with fresh weights; b starts at 1 everywhere. */
export function initialize(
  stream: Stream,
  { features, horizon, action }: Sizes,
  h: Hyperparameters,
): Tensors {
  const output = horizon * action;
  const hidden = Array<number>(h.layers).fill(h.width);
  const weights = {
    ...initializeMlp(stream, "mean", { input: features, hidden, output }, {
      layerNorm: false,
      outputScale: 0,
    }),
    ...initializeMlp(stream, "scale", { input: features, hidden: [h.scaleWidth], output }, {
      layerNorm: false,
      outputScale: 0,
    }),
  };
  return groups.initialize(weights, h.header.weights);
}
