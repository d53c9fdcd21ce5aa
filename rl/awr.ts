/**
 * Advantage-weighted regression (Peng et al. 2019, arXiv:1910.00177) of a flow policy: the baseline CFGRL compares
 * guidance with. L = mean_i w_i |v(x_t, t, o_i) - u|², w = min(exp(A / β), cap), as in CFGRL's public code (1 / β = 3,
 * cap 100); |.|² is `sampleError` of
 * `weighted_flow.ts`.
 */
import { exp, mean, minimum, mul, type Scalar } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import type { Tensors } from "../ndarray.ts";
import * as groups from "../nn/parameter_groups.ts";
import { velocity } from "../policies/flow.ts";
import { interpolate, type Minibatch, sampleError } from "./weighted_flow.ts";

/** Loss and optimisation. */
export const hyperparameters = groups.optimization.extend({
  inverseTemperature: z.number().min(0).default(3).describe("1 / beta; CFGRL sweeps 1, 3, 10, 30"),
  cap: z.number().positive().default(100).describe("Largest weight"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** L, and the mean weight. */
export function loss(weights: Weights, b: Minibatch, h: Hyperparameters) {
  const { chunk, target } = interpolate(b);
  const v = velocity(weights, b.features, chunk, b.time);
  const weight = minimum(exp(mul(h.inverseTemperature, b.advantage)), h.cap);
  const loss: Scalar = mean(mul(weight, sampleError(v, target, b.weight)));
  return { loss, metrics: { weight: mean(weight) } };
}

/** One gradient step for `compileUpdate` with `updateShapes` of `weighted_flow.ts`. */
export function update(h: Hyperparameters) {
  return groups.update((w, batch) => loss(w, batch as unknown as Minibatch, h), h);
}

/** A learner state that starts from a flow policy's weights. */
export function initialize(weights: Tensors, h: Hyperparameters): Tensors {
  return groups.initialize(weights, h.header.weights);
}
