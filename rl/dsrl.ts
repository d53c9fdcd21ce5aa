/**
 * DSRL-SAC: soft actor-critic in the noise space of a frozen flow policy.
 * Wagenmaker et al. 2025, arXiv:2506.15799; the public code for pi0 (github.com/nakamotoo/dsrl_pi0). The initial noise
 * w of a chunk is the action: w = m tanh(u), u ~ N(μ, σ²)(s), replaces the base's N(0, I); a transition lasts from one
 * query of the base to the next, with discount γ^k for k executed control steps.
 *
 * Departures from the public code, and choices where it is silent:
 * 1. A transition's discount counts the steps that were really executed; the code takes γ^q for every query.
 * 2. Kernels are drawn from N(0, 1/in) and the actor's last one at 0.01 of that; the code draws Xavier and orthogonal.
 *    The first deterministic w is nearly 0 in both.
 */
import {
  add,
  concat,
  exp,
  mean,
  min,
  mul,
  neg,
  type Scalar,
  squaredDifference,
  squeeze,
  sub,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, mlps } from "../nn/mlp.ts";
import { adamW, clipByGlobalNorm, initializeAdamW, polyak } from "../nn/optimizer.ts";
import { copied, entry, moved, part, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import { act, initializeActor, type Sizes } from "./noise_actor.ts";

/** The values of the public LIBERO script (run_libero.sh, launch_train_sim.py) wherever it gives one. */
export const hyperparameters = z.strictObject({
  batch: z.int().min(1).default(256).describe("Queries per minibatch"),
  buffer: z.int().min(1).default(25_000).describe("Capacity of the replay buffer, queries"),
  gamma: z.number().min(0).max(1).default(0.999).describe("Discount per control step"),
  tau: z.number().min(0).max(1).default(0.005).describe("Polyak rate of the target critics"),
  actorLearningRate: z.number().positive().default(1e-4).describe("Adam step size of the noise actor"),
  criticLearningRate: z.number().positive().default(3e-4).describe("Adam step size of the critics"),
  temperatureLearningRate: z.number().positive().default(3e-4).describe("Adam step size of log alpha"),
  weightDecay: z.number().min(0).default(0).describe("Decoupled decay of actor and critics; 0: Adam"),
  clipNorm: z.number().positive().nullable().default(null).describe(
    "Global gradient norm, per network; null: not clipped, as the public code",
  ),
  rewardScale: z.number().positive().default(1).describe("Reward of a success before the bias"),
  rewardBias: z.number().default(-1).describe(
    "Reward of every query; with scale 1 it is -1, and 0 on success",
  ),
  magnitude: z.number().positive().default(1).describe("Bound m of every number of w"),
  initialTemperature: z.number().positive().default(1).describe("alpha at the start"),
  targetEntropy: z.number().nullable().default(null).describe(
    "Entropy of w that the temperature holds; null: minus half its dimension",
  ),
  critics: z.int().min(1).default(10).describe("Ensemble of critics"),
  reduction: z.enum(["mean", "min"]).default("mean").describe("Over critics, in target and actor"),
  layers: z.int().min(1).default(3).describe("Hidden layers of actor and critics"),
  width: z.int().min(1).default(128).describe("Units of a hidden layer"),
  activation: z.enum(["relu", "tanh"]).default("relu").describe("Of the hidden layers"),
  actorLayerNorm: z.boolean().default(false).describe("Layer normalisation in the actor"),
  criticLayerNorm: z.boolean().default(true).describe("Layer normalisation in the critics"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** One minibatch of queries. */
export interface Minibatch {
  /** s at the query, [B, S]. */
  state: Tensor;
  /** w, [B, W]: the noise the base got. */
  w: Tensor;
  /** r, [B]. */
  reward: Tensor;
  /** d, [B]: 1 only on success; a truncated query bootstraps. */
  terminated: Tensor;
  /** γ^k, [B]: k control steps were executed. */
  discount: Tensor;
  /** s′ at the next query, [B, S]. */
  nextState: Tensor;
  /** ε′ ~ N(0, I), [B, W]: draws w′. */
  nextNoise: Tensor;
}

/** What the update reports. */
export type Metric =
  | "critic/loss"
  | "critic/q"
  | "critic/target"
  | "actor/loss"
  | "actor/entropy"
  | "temperature/alpha";

/** Q_i(s, w) of the ensemble `name`: [B, S], [B, W] → [E, B]. */
export function q(
  critics: Weights,
  name: string,
  state: Tensor,
  w: Tensor,
  { activation }: Pick<Hyperparameters, "activation">,
): Tensor {
  return squeeze(mlps[activation](critics, name, concat([state, w], 1)), [2]);
}

/** The ensemble's mean or minimum, [E, B] → [B]. */
export function reduce(values: Tensor, reduction: Hyperparameters["reduction"]): Tensor {
  return reduction === "mean" ? mean(values, 0) : min(values, 0);
}

/** y = r + γ^k (1 - d) mean_i Q̄_i(s′, w′), w′ ~ π(· | s′): [B]. No entropy in the backup. */
export function target(weights: Weights, b: Omit<Minibatch, "state" | "w">, h: Hyperparameters): Tensor {
  const { w } = act(weights, b.nextState, b.nextNoise, h);
  const value = reduce(q(weights, "target", b.nextState, w, h), h.reduction);
  return stopGradient(add(b.reward, mul(mul(b.discount, sub(1, b.terminated)), value)));
}

/** L_Q = mean_i E (Q_i(s, w) - y)². */
export function criticLoss(
  critic: Weights,
  b: Pick<Minibatch, "state" | "w">,
  y: Tensor,
  h: Hyperparameters,
) {
  const values = q(critic, "critic", b.state, b.w, h);
  const loss: Scalar = mean(squaredDifference(values, y));
  return { loss, metrics: { "critic/loss": loss, "critic/q": mean(values), "critic/target": mean(y) } };
}

/** L_π = E[α log π(w | s) - mean_i Q_i(s, w)], and H = -E log π. */
export function actorLoss(
  actor: Weights,
  critic: Weights,
  alpha: Tensor,
  b: { state: Tensor; noise: Tensor },
  h: Hyperparameters,
) {
  const { w, logDensity } = act(actor, b.state, b.noise, h);
  const value = reduce(q(critic, "critic", b.state, w, h), h.reduction);
  const loss: Scalar = mean(sub(mul(alpha, logDensity), value));
  return { loss, metrics: { "actor/loss": loss, "actor/entropy": neg(mean(logDensity)) } };
}

/** L_α = α (H - H̄), α = exp(log α). */
export function temperatureLoss(logAlpha: Tensor, entropy: Tensor, targetEntropy: number): Scalar {
  return mul(exp(logAlpha), sub(stopGradient(entropy), targetEntropy));
}

/** H̄ for a w of `width` numbers. */
export function targetEntropy(h: Pick<Hyperparameters, "targetEntropy">, width: number): number {
  return h.targetEntropy ?? -width / 2;
}

/** A loss of weights, with what to report. */
export type Loss = (weights: Weights) => { loss: Scalar; metrics: Weights };

/** One Adam step of the networks `group` down `loss`. Returns the changed entries of `state` with it. */
export function descend(
  state: Weights,
  group: string,
  loss: Loss,
  { learningRate, weightDecay, clipNorm }: {
    learningRate: number;
    weightDecay: number;
    clipNorm: number | null;
  },
): { state: Weights; metrics: Weights } {
  const { gradients, metrics } = valueAndGradients(loss, part(state, group));
  const used = clipNorm === null ? gradients : clipByGlobalNorm(gradients, clipNorm).gradients;
  return { state: { ...state, ...adamW(state, group, used, { learningRate, weightDecay }) }, metrics };
}

/** One critic step down `loss` and its Polyak step. */
export function criticStep(state: Weights, loss: Loss, h: Hyperparameters) {
  const stepped = descend(state, "critic", loss, { ...h, learningRate: h.criticLearningRate });
  return {
    state: { ...stepped.state, ...polyak(stepped.state, "critic", "target", h.tau) },
    metrics: stepped.metrics,
  };
}

/** One actor step down `loss`, which is given α, and one temperature step at the entropy it reports. */
export function actorStep(
  state: Weights,
  loss: (actor: Weights, alpha: Tensor) => ReturnType<typeof actorLoss>,
  h: Hyperparameters,
  width: number,
): { state: Weights; metrics: Weights } {
  const alpha = exp(entry(state, "temperature/log"));
  const actor = descend(state, "actor", (weights) => loss(weights, alpha), {
    ...h,
    learningRate: h.actorLearningRate,
  });
  const entropy = entry(actor.metrics, "actor/entropy");
  const temperature = descend(
    actor.state,
    "temperature",
    (weights) => ({
      loss: temperatureLoss(entry(weights, "temperature/log"), entropy, targetEntropy(h, width)),
      metrics: {},
    }),
    { learningRate: h.temperatureLearningRate, weightDecay: 0, clipNorm: null },
  );
  return { state: temperature.state, metrics: { ...actor.metrics, "temperature/alpha": alpha } };
}

/** One update in the public code's order: critic, targets, actor, temperature. For `compileUpdate`. */
export function update(h: Hyperparameters) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const { noise, ...rows } = batch;
    const b = rows as unknown as Minibatch;
    const y = target(state, b, h);
    const critic = criticStep(state, (weights) => criticLoss(weights, b, y, h), h);
    const actor = actorStep(
      critic.state,
      (weights, alpha) => actorLoss(weights, critic.state, alpha, { state: b.state, noise: noise! }, h),
      h,
      noise!.shape[1]!,
    );
    return { state: actor.state, metrics: { ...critic.metrics, ...actor.metrics } as Record<Metric, Tensor> };
  };
}

/** Shapes of one iteration of `update`. */
export function updateShapes(sizes: Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const state = [h.batch, sizes.state], noise = [h.batch, sizes.noise], number = [h.batch];
  const batch = {
    state,
    w: noise,
    reward: number,
    terminated: number,
    discount: number,
    nextState: state,
    nextNoise: noise,
    noise,
  };
  return { state: shapesOf(initialize(new Stream([0, 0]), sizes, h)), batch };
}

/** A complete learner state: critics and equal targets, actor, temperature, zero moments. */
export function initialize(stream: Stream, sizes: Sizes, h: Hyperparameters): Tensors {
  const hidden = Array<number>(h.layers).fill(h.width);
  const critic = initializeMlp(stream, "critic", { input: sizes.state + sizes.noise, hidden, output: 1 }, {
    layerNorm: h.criticLayerNorm,
    ensemble: h.critics,
  });
  return {
    ...critic,
    ...moved(copied(critic), "critic", "target"),
    ...initializeAdamW(critic, "critic"),
    ...initializeActor(stream, sizes, h),
  };
}
