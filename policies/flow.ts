/**
 * A flow-matching chunk policy in pi0's convention (Black et al. 2024, arXiv:2410.24164; openpi's code): t = 1 is noise,
 * t = 0 an action chunk. x_t = t ε + (1 - t) a, u = ε - a, the network v(o, x_t, t) regresses u, and a chunk is drawn by
 * integrating dx = v dt from t = 1 down to 0. All tensors here are normalised; `policy.ts` deals with units.
 */
import {
  add,
  concat,
  cos,
  div,
  expandDims,
  maximum,
  mean,
  minimum,
  mul,
  reshape,
  type Scalar,
  sin,
  squaredDifference,
  sub,
  sum,
  type Tensor,
  tile,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { constant, type Shapes } from "../engine/trace.ts";
import { ndarray, scalar, type Tensors } from "../ndarray.ts";
import { initializeMlp, siluMlp } from "../nn/mlp.ts";
import { adamW, clipByGlobalNorm, initializeAdamW, polyak } from "../nn/optimizer.ts";
import { copied, entry, moved, part, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import { initializeTransformer, isTransformer, transformerVelocity } from "./flow_transformer.ts";

/** Network and training of a flow policy; the defaults train a tabletop base in under a minute. */
export const hyperparameters = z.strictObject({
  steps: z.int().min(1).default(4000).describe("Gradient steps"),
  batch: z.int().min(1).default(256).describe("Chunks per minibatch"),
  learningRate: z.number().positive().default(1e-3).describe(
    "AdamW step size (betas 0.9, 0.95) at its peak; cosine to 0",
  ),
  warmup: z.int().min(0).default(100).describe("Steps of linear growth to the peak"),
  weightDecay: z.number().min(0).default(1e-4).describe("AdamW decay"),
  clipNorm: z.number().positive().default(1).describe("Global gradient norm"),
  ema: z.number().min(0).max(1).default(0.999).describe("Decay of the averaged weights, those that act"),
  network: z.enum(["mlp", "transformer"]).default("mlp")
    .describe("mlp: of the whole chunk at once; transformer: a token for each action"),
  layers: z.int().min(1).default(3).describe("Hidden layers, SiLU; blocks of a transformer"),
  width: z.int().min(1).default(256).describe("Units of a hidden layer; numbers of a token"),
  heads: z.int().min(1).default(4).describe("Heads of a transformer's attention"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** Widths: F features, chunks of H actions of A numbers. */
export interface Sizes {
  /** F. */
  readonly features: number;
  /** H. */
  readonly horizon: number;
  /** A. */
  readonly action: number;
}

const FREQUENCIES = 16;
// Periods of the time features, geometric between these, in units of the whole flow. openpi's shortest is 4e-3: ten
// Euler steps cannot tell it from a constant, and float32 would keep four digits of its phase.
const SHORTEST = 4e-2, LONGEST = 4;

/** sin and cos of 2 π t / period: [B] → [B, 32]. */
function timeFeatures(time: Tensor): Tensor {
  const angular = ndarray([1, FREQUENCIES]);
  for (let i = 0; i < FREQUENCIES; i++) {
    angular.data[i] = 2 * Math.PI / (SHORTEST * (LONGEST / SHORTEST) ** (i / (FREQUENCIES - 1)));
  }
  const phase = mul(expandDims(time, 1), constant(angular));
  return concat([sin(phase), cos(phase)], 1);
}

/**
 * v(o, x_t, t): features [B, F], chunk [B, H, A], time [B] → [B, H, A]; the weights "velocity/…" say which network it is.
 */
export function velocity(weights: Weights, features: Tensor, chunk: Tensor, time: Tensor): Tensor {
  if (isTransformer(weights)) return transformerVelocity(weights, features, chunk, timeFeatures(time));
  const [batch, horizon, width] = chunk.shape as [number, number, number];
  const flat = reshape(chunk, [batch, horizon * width]);
  const out = siluMlp(weights, "velocity", concat([features, flat, timeFeatures(time)], 1));
  return reshape(out, [batch, horizon, width]);
}

/** Chunks to clone. */
export interface Minibatch {
  /** Normalised features o, [B, F]. */
  features: Tensor;
  /** Normalised chunks a, [B, H, A]. */
  actions: Tensor;
  /** Weight of each step, [B, H]; 1 for all, 0 to leave out. */
  weight: Tensor;
  /** ε ~ N(0, I), [B, H, A]. */
  noise: Tensor;
  /** t in (0, 1], [B], see `drawTimes`. */
  time: Tensor;
}

/** L = Σ w mean_A (v(o, x_t, t) - (ε - a))² / Σ w, over rows and steps. */
export function flowLoss(weights: Weights, b: Minibatch): Scalar {
  const t = reshape(b.time, [-1, 1, 1]);
  const chunk = add(mul(t, b.noise), mul(sub(1, t), b.actions));
  const v = velocity(weights, b.features, chunk, b.time);
  const error = mean(squaredDifference(v, sub(b.noise, b.actions)), 2); // [B, H, A] → [B, H]
  return div(sum(mul(b.weight, error)), sum(b.weight));
}

/** Fills `out` with times t ~ 0.999 Beta(1.5, 1) + 0.001, drawn by inversion: the law of pi0, denser near the noise. */
export function drawTimes(stream: Stream, out: Float32Array): Float32Array {
  for (let i = 0; i < out.length; i++) out[i] = 0.999 * stream.uniform() ** (2 / 3) + 0.001;
  return out;
}

/** Integrates from `noise` [B, H, A] at t = 1 to a normalised chunk [B, H, A] at t = 0, in Euler steps of 1 / steps. */
export function sample(weights: Weights, features: Tensor, noise: Tensor, steps = 10): Tensor {
  const batch = noise.shape[0]!;
  let chunk = noise;
  for (let i = 0; i < steps; i++) {
    const time = tile(constant({ shape: [1], data: Float32Array.of(1 - i / steps) }), [batch]);
    chunk = sub(chunk, mul(1 / steps, velocity(weights, features, chunk, time)));
  }
  return chunk;
}

/**
 * Learning rate at `step` (updates done before): linear from 0 over `warmup` steps, then half a cosine down to 0 at
 * `steps`.
 */
export function learningRate(step: Tensor, h: Hyperparameters): Scalar {
  const rising = h.warmup === 0 ? 1 : minimum(div(step, h.warmup), 1);
  const length = Math.max(1, h.steps - h.warmup);
  const progress = minimum(div(maximum(sub(step, h.warmup), 0), length), 1);
  const falling = mul(0.5, add(1, cos(mul(Math.PI, progress))));
  return mul(mul(h.learningRate, rising), falling);
}

/** One gradient step and one step of the averaged weights "ema/…", for `compileUpdate` with `updateShapes`. */
export function update(h: Hyperparameters) {
  return (
    state: Weights,
    batch: Weights,
  ): { state: Weights; metrics: Record<"loss" | "gradientNorm", Tensor> } => {
    const step = entry(state, "step");
    const b = batch as unknown as Minibatch;
    const { loss, gradients } = valueAndGradients((w) => ({ loss: flowLoss(w, b) }), part(state, "velocity"));
    const clipped = clipByGlobalNorm(gradients, h.clipNorm);
    const settings = { learningRate: learningRate(step, h), weightDecay: h.weightDecay, beta2: 0.95 };
    const stepped = {
      ...state,
      ...adamW(state, "velocity", clipped.gradients, settings),
      step: add(step, 1),
    };
    const averaged = polyak(stepped, "velocity", "ema", 1 - h.ema);
    return { state: { ...stepped, ...averaged }, metrics: { loss, gradientNorm: clipped.norm } };
  };
}

/** Shapes of one step of `update`. */
export function updateShapes(sizes: Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const chunk = [h.batch, sizes.horizon, sizes.action];
  const batch = {
    features: [h.batch, sizes.features],
    actions: chunk,
    weight: [h.batch, sizes.horizon],
    noise: chunk,
    time: [h.batch],
  };
  return { state: shapesOf(initialize(new Stream([0, 0]), sizes, h)), batch };
}

/** A learner state with fresh weights: the last layer is zero, so that the first velocity is 0. */
export function initialize(stream: Stream, sizes: Sizes, h: Hyperparameters): Tensors {
  if (h.network === "transformer") {
    const network = { width: h.width, heads: h.heads, blocks: h.layers };
    return fineTune(initializeTransformer(stream, { ...sizes, time: 2 * FREQUENCIES }, network));
  }
  const chunk = sizes.horizon * sizes.action;
  const input = sizes.features + chunk + 2 * FREQUENCIES;
  const hidden = Array<number>(h.layers).fill(h.width);
  const widths = { input, hidden, output: chunk };
  return fineTune(initializeMlp(stream, "velocity", widths, { layerNorm: false, outputScale: 0 }));
}

/** A learner state that starts from given weights "velocity/…": they are the average too, moments and step are 0. */
export function fineTune(weights: Tensors): Tensors {
  const velocity = copied(part(weights, "velocity"));
  return {
    ...velocity,
    ...moved(copied(velocity), "velocity", "ema"),
    ...initializeAdamW(velocity, "velocity"),
    step: scalar(0),
  };
}

/** The weights that act, "velocity/…": the averaged ones of a learner state. */
export function acting(state: Tensors): Tensors {
  return copied(moved(state, "ema", "velocity"));
}
