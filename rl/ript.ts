/**
 * RIPT: reinforcement learning of a policy from groups of rollouts that start in one state (Tan et al. 2025,
 * arXiv:2505.17016, Algorithm 1, Eq. 5 and 6). K rollouts a context give leave-one-out advantages
 *
 *   A_k = R_k - 1 / (K - 1) Σ_{j≠k} R_j,
 *
 * groups whose rewards are all equal are rejected and another context is drawn (dynamic sampling), and N passes of PPO
 * over the rest descend L = -E min(r A, clip(r, 1 - ε, 1 + ε) A), r = π_θ / π_ψ.
 *
 * As in the public code, r is that of one control step (log-densities summed over the action's dimensions), and a
 * context whose last group always succeeded is left out for a while. Departures: the loss is a mean over the steps of a
 * minibatch, not of an episode; the last chunk of an episode is kept (the code drops it); a context is visited at most
 * once a round; optimiser moments start anew every round.
 */
import {
  cast,
  clipByValue,
  div,
  exp,
  mean,
  minimum,
  mul,
  neg,
  notEqual,
  reshape,
} from "@tensorflow/tfjs-core";
import { type Scalar, sub, sum, type Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import * as groups from "../nn/parameter_groups.ts";
import { shapesOf } from "../nn/weights.ts";
import type { Sizes } from "../policies/flow.ts";
import * as laplace from "../policies/laplace.ts";
import type { Stream } from "../random.ts";

/** How groups are collected. */
export const sampling = z.strictObject({
  groups: z.int().min(1).max(10_000).default(24).describe("B / K: contexts kept a round"),
  rollouts: z.int().min(2).max(256).default(8).describe("K: rollouts of each context, at least 2"),
  contexts: z.int().min(1).max(100_000).default(1000).describe(
    "training initial states of each task to draw from",
  ),
  attempts: z.int().min(1).max(100_000).default(400).describe("contexts tried at most a round"),
  dynamic: z.boolean().default(true).describe("rejects groups whose rewards are all equal"),
  skips: z.int().min(0).max(1000).default(3).describe(
    "rounds a context is left out after a group in which all succeeded",
  ),
});
/** Parsed settings of the sampling. */
export type Sampling = z.output<typeof sampling>;

/** PPO on a Laplace policy. */
export const hyperparameters = groups.optimization.omit({ steps: true }).extend({
  decayTo: groups.optimization.shape.decayTo.unwrap().default(1).describe(
    "learning rates at the end of a round as a share of their peaks",
  ),
  header: groups.optimization.shape.header.unwrap().extend({
    weights: z.array(z.string().min(1)).min(1).default(["mean/out", "scale"]).describe(
      "What group header holds: names of weights, or paths they lie below; model holds the rest",
    ),
  }).prefault({}),
  epochs: z.int().min(1).default(1).describe("N: passes over a round's windows; 1 is on-policy"),
  epsilon: z.number().positive().max(1).default(0.1).describe(
    "bound of the ratio; 0.1 for OFT, 0.2 for QuEST",
  ),
  fixScale: z.boolean().default(true).describe("the scale head keeps what cloning gave it"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** An initial state of a task. */
export interface Context {
  /** Name of the task. */
  readonly task: string;
  /** Number of the training initial state. */
  readonly index: number;
}

/** What became of a context's rollouts. */
export interface Group extends Context {
  /** K. */
  readonly rollouts: number;
  /** Rollouts with reward 1. */
  readonly successes: number;
}

/**
 * Leave-one-out advantages A_k of a group's rewards; their sum is 0.
 *
 * @throws {RangeError} when the group has fewer than two rewards
 */
export function advantages(rewards: readonly number[]): number[] {
  const k = rewards.length;
  if (k < 2) throw new RangeError(`Cannot leave one out of ${k} rollouts: a group needs at least 2`);
  const total = rewards.reduce((a, b) => a + b, 0);
  return rewards.map((reward) => reward - (total - reward) / (k - 1));
}

/** Whether a group has contrast: some succeeded and some failed. */
export function isMixed({ rollouts, successes }: Pick<Group, "rollouts" | "successes">): boolean {
  return successes > 0 && successes < rollouts;
}

/** 1 - p^K - (1 - p)^K: the share of mixed groups if every context succeeded with probability p. */
export function expectedMixed(p: number, rollouts: number): number {
  return 1 - p ** rollouts - (1 - p) ** rollouts;
}

/**
 * The contexts of a round in random order, without those that are left out: all their rollouts succeeded in one of the
 * last `skips` rounds.
 *
 * @param earlier groups of earlier rounds, oldest round first
 */
export function drawContexts(
  draws: Stream,
  contexts: readonly Context[],
  { earlier, skips }: { readonly earlier: readonly (readonly Group[])[]; readonly skips: number },
): Context[] {
  const name = ({ task, index }: Context) => `${task}/${index}`;
  const recent = skips === 0 ? [] : earlier.slice(-skips);
  const solved = recent.flat().filter(({ rollouts, successes }) => successes === rollouts);
  const skipped = new Set(solved.map(name));
  return [...draws.permutation(contexts.length)].map((i) => contexts[i]!)
    .filter((context) => !skipped.has(name(context)));
}

/** Windows of rollouts: executed chunks. */
export interface Minibatch {
  /** Normalised features o, [B, F]. */
  features: Tensor;
  /** Normalised actions as they were drawn, [B, H, A]. */
  actions: Tensor;
  /** 1 for steps that were executed, [B, H]. */
  weight: Tensor;
  /** A, [B]. */
  advantage: Tensor;
  /** log π_ψ of each step, [B, H]. */
  behaviour: Tensor;
}

/**
 * L over the steps of weight 1, with the mean ratio and the share of steps whose gradient is cut.
 *
 * @param logDensity log π_θ of each step, [B, H]
 */
export function ppoLoss(
  logDensity: Tensor,
  { behaviour, weight, advantage }: Pick<Minibatch, "behaviour" | "weight" | "advantage">,
  epsilon: number,
): { loss: Scalar; metrics: Weights } {
  const ratio = exp(sub(logDensity, behaviour));
  const a = reshape(advantage, [-1, 1]);
  const free = mul(ratio, a);
  const bounded = minimum(free, mul(clipByValue(ratio, 1 - epsilon, 1 + epsilon), a));
  const average = (x: Tensor): Scalar => div(sum(mul(weight, x)), sum(weight));
  const cut = cast(notEqual(free, bounded), "float32");
  return { loss: neg(average(bounded)), metrics: { ratio: average(ratio), cut: average(cut) } };
}

/** log π of each step, [B, H]: the sum over the action's dimensions. */
export function stepDensity(
  weights: Weights,
  { features, actions }: Pick<Minibatch, "features" | "actions">,
  { fixScale }: { readonly fixScale: boolean },
): Tensor {
  const { mean: middle, logScale } = laplace.head(
    weights,
    features,
    actions.shape as [number, number, number],
  );
  const scale = fixScale ? stopGradient(logScale) : logScale;
  return sum(laplace.logDensity({ mean: middle, logScale: scale }, actions), 2);
}

/** One gradient step for `compileUpdate`; `steps` are those of the round. */
export function update(h: Hyperparameters, steps: number) {
  return groups.update((weights, batch) => {
    const b = batch as unknown as Minibatch;
    const { loss, metrics } = ppoLoss(stepDensity(weights, b, h), b, h.epsilon);
    return { loss, metrics: { ...metrics, advantage: mean(b.advantage) } };
  }, { ...h, steps });
}

/** Shapes of one step of `update` for a learner state. */
export function updateShapes(
  state: Tensors,
  { features, horizon, action }: Sizes,
  batch: number,
): { state: Shapes; batch: Shapes } {
  return {
    state: shapesOf(state),
    batch: {
      features: [batch, features],
      actions: [batch, horizon, action],
      weight: [batch, horizon],
      advantage: [batch],
      behaviour: [batch, horizon],
    },
  };
}
