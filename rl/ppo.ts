/**
 * RIPT's policy update (Tan et al. 2025, arXiv:2505.17016, Eq. 6): N passes of PPO over a round's rollouts, with
 * leave-one-out advantages (`ript.ts`) and a Laplace policy,
 *
 *   L = -E min(r A, clip(r, 1 - ε, 1 + ε) A),   r = π_θ(a | o) / π_ψ(a | o).
 *
 * As in the public code, r is that of one control step: log-densities are summed over the action's dimensions.
 * Departures: the loss is a mean over the steps of a minibatch of windows, not of an episode; the last chunk of an
 * episode is kept (the code drops it); optimiser moments start anew every round.
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
