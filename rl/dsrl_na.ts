/**
 * DSRL-NA, "noise aliasing": DSRL whose critic learns on executed chunks, Q^A(s, a), and is distilled into a critic on
 * noise, Q^W(s, w), that the actor climbs. Many w lead to one chunk; Q^A learns from all of them at once, also from
 * data that nobody steered. Wagenmaker et al. 2025, arXiv:2506.15799, Algorithm 1; public code
 * github.com/ajwagen/dsrl. The base must be deterministic given w (an ODE or DDIM sampler): it runs inside the update.
 *
 * Departures from the public code:
 * 1. log π is the density of w, not of w / m; H̄ = 0 there is H̄ = W log m here, which is the default.
 * 2. Distillation takes the states of the minibatches just used, and fresh w; the code draws new states.
 * 3. A transition's discount is γ^k for k executed steps. Kernels are drawn from N(0, 1/in).
 */
import {
  add,
  div,
  exp,
  mean,
  mul,
  neg,
  type Scalar,
  squaredDifference,
  sub,
  sum,
  type Tensor,
  unstack,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp } from "../nn/mlp.ts";
import { initializeAdamW, polyak } from "../nn/optimizer.ts";
import { copied, entry, moved, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import { descend, hyperparameters as sac, q, reduce } from "./dsrl.ts";
import { act, initializeActor, type Sizes } from "./noise_actor.ts";

/** DSRL's values, with those of the public Robomimic configuration where it differs. */
export const hyperparameters = sac.omit({ reduction: true }).extend({
  buffer: sac.shape.buffer.removeDefault().default(1_000_000),
  gamma: sac.shape.gamma.removeDefault().default(0.99),
  actorLearningRate: sac.shape.actorLearningRate.removeDefault().default(3e-4),
  targetEntropy: sac.shape.targetEntropy.removeDefault().default(null).describe(
    "Entropy of w that the temperature holds; null: W log m, which is 0 for w / m",
  ),
  magnitude: sac.shape.magnitude.removeDefault().default(1.5),
  critics: sac.shape.critics.removeDefault().default(2),
  width: sac.shape.width.removeDefault().default(2048),
  activation: sac.shape.activation.removeDefault().default("tanh"),
  actorLayerNorm: sac.shape.actorLayerNorm.removeDefault().default(true),
  updates: z.int().min(1).default(2).describe("Steps of action critic and actor in one iteration"),
  distillations: z.int().min(1).default(1).describe(
    "Steps of the noise critic in one iteration; the code has 10 for 20 of the others",
  ),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** The frozen base: features [B, F] and w [B, W] → the executed part of the chunk, flat [B, C]. */
export type Base = (features: Tensor, w: Tensor) => Tensor;

/** One minibatch of queries; F features of the base, C numbers of an executed chunk. */
export interface Minibatch {
  /** s at the query, [B, S]. */
  state: Tensor;
  /** What the base saw there, [B, F]. */
  features: Tensor;
  /** a, [B, C]: the chunk that came of w. */
  action: Tensor;
  /** r, [B]. */
  reward: Tensor;
  /** d, [B]: 1 only on success. */
  terminated: Tensor;
  /** γ^k, [B]. */
  discount: Tensor;
  /** s′ at the next query, [B, S]. */
  nextState: Tensor;
  /** What the base sees there, [B, F]. */
  nextFeatures: Tensor;
  /** ε′ ~ N(0, I), [B, W]: draws w′. */
  nextNoise: Tensor;
  /** ε ~ N(0, I), [B, W]: draws the actor's w. */
  noise: Tensor;
}

/** Widths: the learner's, those of the base, and of an executed chunk. */
export interface NaSizes extends Sizes {
  /** Numbers the base sees, F. */
  readonly features: number;
  /** Numbers of an executed chunk, C. */
  readonly action: number;
}

/** What the update reports, of the last step of each kind. */
export type Metric =
  | "critic/loss"
  | "critic/q"
  | "critic/target"
  | "noiseCritic/loss"
  | "actor/loss"
  | "actor/entropy"
  | "temperature/alpha";

/** y = r + γ^k (1 - d) (min_j Q̄^A_j(s′, π_dp(s′, w′)) - α log π(w′ | s′)), w′ ~ π(· | s′): [B]. */
export function target(weights: Weights, b: Minibatch, base: Base, h: Hyperparameters): Tensor {
  const { w, logDensity } = act(weights, b.nextState, b.nextNoise, h);
  const value = reduce(q(weights, "target", b.nextState, base(b.nextFeatures, w), h), "min");
  const soft = sub(value, mul(exp(entry(weights, "temperature/log")), logDensity));
  return stopGradient(add(b.reward, mul(mul(b.discount, sub(1, b.terminated)), soft)));
}

/** L_A = ½ Σ_i E (Q^A_i(s, a) - y)². */
export function criticLoss(critic: Weights, b: Minibatch, y: Tensor, h: Hyperparameters) {
  const values = q(critic, "critic", b.state, b.action, h);
  const loss: Scalar = mul(0.5, sum(mean(squaredDifference(values, y), 1)));
  return { loss, metrics: { "critic/loss": loss, "critic/q": mean(values), "critic/target": mean(y) } };
}

/** Q^W_i(s, w) [E, B]; the network sees w / m. */
function noiseQ(weights: Weights, state: Tensor, w: Tensor, h: Hyperparameters): Tensor {
  return q(weights, "noiseCritic", state, div(w, h.magnitude), h);
}

/** L_W = ½ Σ_i E (Q^W_i(s, w) - Q^A_i(s, π_dp(s, w)))², w ~ N(0, I) [B, W]; `weights` hold Q^A, which is the teacher. */
export function distillationLoss(
  noiseCritic: Weights,
  weights: Weights,
  b: Pick<Minibatch, "state" | "features"> & { w: Tensor },
  base: Base,
  h: Hyperparameters,
) {
  const teacher = stopGradient(q(weights, "critic", b.state, base(b.features, b.w), h));
  const error = squaredDifference(noiseQ(noiseCritic, b.state, b.w, h), teacher);
  const loss: Scalar = mul(0.5, sum(mean(error, 1)));
  return { loss, metrics: { "noiseCritic/loss": loss } };
}

/** L_π = E[α log π(w | s) - min_i Q^W_i(s, w)], and H = -E log π. */
export function actorLoss(actor: Weights, weights: Weights, b: Minibatch, h: Hyperparameters) {
  const alpha = exp(entry(weights, "temperature/log"));
  const { w, logDensity } = act(actor, b.state, b.noise, h);
  const loss: Scalar = mean(sub(mul(alpha, logDensity), reduce(noiseQ(weights, b.state, w, h), "min")));
  const entropy = neg(mean(logDensity));
  return { loss, metrics: { "actor/loss": loss, "actor/entropy": entropy, "temperature/alpha": alpha } };
}

/** L_α = -log α (log π + H̄) in expectation: log α (H - H̄). */
export function temperatureLoss(logAlpha: Tensor, entropy: Tensor, targetEntropy: number): Scalar {
  return mul(logAlpha, sub(stopGradient(entropy), targetEntropy));
}

/** H̄ for a w of `width` numbers. */
export function targetEntropy(
  h: Pick<Hyperparameters, "targetEntropy" | "magnitude">,
  width: number,
): number {
  return h.targetEntropy ?? width * Math.log(h.magnitude);
}

/**
 * One iteration for `compileUpdate`: `updates` times temperature, action critic, actor and targets, each on its own
 * minibatch and in the code's order; then `distillations` steps of the noise critic.
 */
export function update(h: Hyperparameters, base: Base) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const { w: draws, ...columns } = batch;
    const minibatches = minibatchesOf(columns);
    const step = (
      group: string,
      rate: number,
      loss: Parameters<typeof descend>[2],
      decay = h.weightDecay,
    ) => {
      const settings = { learningRate: rate, weightDecay: decay, clipNorm: h.clipNorm };
      const stepped = descend(state, group, loss, settings);
      state = stepped.state;
      return stepped.metrics;
    };
    let metrics: Weights = {};
    for (const b of minibatches) {
      const before = state;
      const entropy = neg(mean(act(before, b.state, b.noise, h).logDensity));
      const wanted = targetEntropy(h, b.noise.shape[1]!);
      const y = target(before, b, base, h);
      const critic = step("critic", h.criticLearningRate, (weights) => criticLoss(weights, b, y, h));
      const actor = step("actor", h.actorLearningRate, (weights) => actorLoss(weights, before, b, h));
      step("temperature", h.temperatureLearningRate, (weights) => ({
        loss: temperatureLoss(entry(weights, "temperature/log"), entropy, wanted),
        metrics: {},
      }), 0);
      state = { ...state, ...polyak(state, "critic", "target", h.tau) };
      metrics = { ...metrics, ...critic, ...actor };
    }
    unstack(draws!).forEach((w, i) => {
      const { state: s, features } = minibatches[i % minibatches.length]!;
      const teacher = state;
      const distilled = step(
        "noiseCritic",
        h.criticLearningRate,
        (weights) => distillationLoss(weights, teacher, { state: s, features, w }, base, h),
      );
      metrics = { ...metrics, ...distilled };
    });
    return { state, metrics: metrics as Record<Metric, Tensor> };
  };
}

function minibatchesOf(columns: Weights): Minibatch[] {
  const rows = Object.entries(columns).map(([name, x]) => [name, unstack(x)] as const);
  return rows[0]![1].map((_, i) =>
    Object.fromEntries(rows.map(([name, x]) => [name, x[i]!])) as unknown as Minibatch
  );
}

/** Shapes of one iteration of `update`: columns [U, B, …], and "w" [D, B, W] ~ N(0, I) to distil on. */
export function updateShapes(sizes: NaSizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const rows = [h.updates, h.batch];
  const noise = [...rows, sizes.noise];
  const batch = {
    state: [...rows, sizes.state],
    features: [...rows, sizes.features],
    action: [...rows, sizes.action],
    reward: rows,
    terminated: rows,
    discount: rows,
    nextState: [...rows, sizes.state],
    nextFeatures: [...rows, sizes.features],
    nextNoise: noise,
    noise,
    w: [h.distillations, h.batch, sizes.noise],
  };
  return { state: shapesOf(initialize(new Stream([0, 0]), sizes, h)), batch };
}

/** A complete learner state. */
export function initialize(stream: Stream, sizes: NaSizes, h: Hyperparameters): Tensors {
  const hidden = Array<number>(h.layers).fill(h.width);
  const form = { layerNorm: h.criticLayerNorm, ensemble: h.critics };
  const critic = initializeMlp(
    stream,
    "critic",
    { input: sizes.state + sizes.action, hidden, output: 1 },
    form,
  );
  const noiseCritic = initializeMlp(stream, "noiseCritic", {
    input: sizes.state + sizes.noise,
    hidden,
    output: 1,
  }, form);
  return {
    ...critic,
    ...moved(copied(critic), "critic", "target"),
    ...initializeAdamW(critic, "critic"),
    ...noiseCritic,
    ...initializeAdamW(noiseCritic, "noiseCritic"),
    ...initializeActor(stream, sizes, h),
  };
}
