/**
 * CFG-Flow: policy improvement of a flow policy by a condition "positive" and guidance, for RIPT's leave-one-out
 * advantages. Loss of Frans et al. 2025 (CFGRL), as its public code has it (iql_diffusion.py: the hard indicator
 * 1[A > 0], unconditional branch at weight 0.1), in pi0's convention of time (t = 1 is noise):
 *
 *   L = mean_i ( 1[A_i > 0] w(A_i) |v(x_t, t, o_i, 1) - u|² + α |v(x_t, t, o_i, 0) - u|² ),   u = ε - a,
 *
 * |.|² the mean over the steps of the window that are not padding, and over dimensions. Both branches of a sample share
 * its noise and time. The indicator is strict: samples of groups without contrast (A = 0) feed the unconditional branch
 * alone. Departure: advantages come from groups of rollouts, not from a critic. Sampling: `policies/guided.ts`.
 */
import {
  add,
  cast,
  greater,
  maximum,
  mean,
  minimum,
  mul,
  type Scalar,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import type { Tensors } from "../ndarray.ts";
import * as groups from "../nn/parameter_groups.ts";
import { bothVelocities, withCondition } from "../policies/guided.ts";
import { interpolate, type Minibatch, sampleError } from "./weighted_flow.ts";

/** Loss and optimisation. */
export const hyperparameters = groups.optimization.extend({
  header: groups.optimization.shape.header.unwrap().extend({
    weights: z.array(z.string().min(1)).min(1).default(["velocity/out", "velocity/condition"]).describe(
      "What group header holds: names of weights, or paths they lie below; model holds the rest",
    ),
  }).prefault({}),
  weight: z.enum(["indicator", "advantage"]).default("indicator").describe(
    "w(A) of the conditional branch: 1, or the advantage cut at cap",
  ),
  cap: z.number().positive().default(5).describe(
    "Largest weight; advantages of 0/1 rewards stay at or below 1",
  ),
  unconditional: z.number().min(0).default(0.1).describe("alpha, weight of the unconditional branch"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** 1[A > 0] w(A), [B]. */
export function positiveWeight(
  advantage: Tensor,
  { weight, cap }: Pick<Hyperparameters, "weight" | "cap">,
): Tensor {
  return weight === "indicator"
    ? cast(greater(advantage, 0), "float32")
    : maximum(minimum(advantage, cap), 0);
}

/** L, and its two parts. */
export function loss(weights: Weights, b: Minibatch, h: Hyperparameters) {
  const { chunk, target } = interpolate(b);
  const { positive, any } = bothVelocities(weights, b.features, chunk, b.time);
  const conditional = mean(mul(positiveWeight(b.advantage, h), sampleError(positive, target, b.weight)));
  const unconditional = mean(sampleError(any, target, b.weight));
  const total: Scalar = add(conditional, mul(h.unconditional, unconditional));
  return {
    loss: total,
    metrics: { conditional, unconditional },
  };
}

/** One gradient step for `compileUpdate` with `updateShapes` of `weighted_flow.ts`. */
export function update(h: Hyperparameters) {
  return groups.update((w, batch) => loss(w, batch as unknown as Minibatch, h), h);
}

/** A learner state that starts from a flow policy's weights, with a zero embedding unless they have one. */
export function initialize(weights: Tensors, h: Hyperparameters): Tensors {
  return groups.initialize(withCondition(weights), h.header.weights);
}
