/**
 * Training with two parameter groups, "model" and "header", each with its own learning rate and clip norm: the form of
 * RIPT's training (Tan et al. 2025, arXiv:2505.17016), whose optimisers step a backbone and its heads apart.
 *
 * In a learner state the weight "velocity/0/kernel" stands as "model/velocity/0/kernel" and one of the header as
 * "header/velocity/out/kernel"; averaged weights stand below "ema/".
 */
import { add, cos, div, maximum, minimum, mul, type Scalar, sub, type Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { scalar, type Tensors } from "../ndarray.ts";
import { adamW, clipByGlobalNorm, initializeAdamW, polyak } from "./optimizer.ts";
import { copied, entry, moved, part } from "./weights.ts";

const GROUPS = ["model", "header"] as const;

/** Optimiser and schedule, over optimiser steps; the defaults are openpi's for networks of pi0's size. */
export const optimization = z.strictObject({
  steps: z.int().min(1).default(1000).describe("Gradient steps"),
  batch: z.int().min(1).default(256).describe("Windows per minibatch"),
  warmup: z.int().min(0).default(0).describe("Steps of linear growth to the peak learning rates"),
  decayTo: z.number().min(0).max(1).default(0.1).describe(
    "Learning rates at the last step as a share of their peaks, along half a cosine",
  ),
  weightDecay: z.number().min(0).default(1e-10).describe("AdamW decay (betas 0.9, 0.95)"),
  ema: z.number().min(0).max(1).default(0).describe(
    "Decay of the averaged weights, those that act; 0: the latest",
  ),
  model: z.strictObject({
    learningRate: z.number().positive().default(2.5e-5).describe("Peak AdamW step size of group model"),
    clipNorm: z.number().positive().default(1).describe("Gradient norm of group model"),
  }).prefault({}),
  header: z.strictObject({
    weights: z.array(z.string().min(1)).min(1).default(["velocity/out"]).describe(
      "What group header holds: names of weights, or paths they lie below; model holds the rest",
    ),
    learningRate: z.number().positive().default(2.5e-5).describe("Peak AdamW step size of group header"),
    clipNorm: z.number().positive().default(1).describe("Gradient norm of group header"),
  }).prefault({}),
});
/** Parsed settings of the optimisation. */
export type Optimization = z.output<typeof optimization>;

/** Share of the peak learning rates at `step` (updates done before). */
export function schedule(step: Tensor, { steps, warmup, decayTo }: Optimization): Scalar {
  const rising = warmup === 0 ? 1 : minimum(div(step, warmup), 1);
  const progress = minimum(div(maximum(sub(step, warmup), 0), Math.max(1, steps - warmup)), 1);
  return mul(rising, add(decayTo, mul((1 - decayTo) / 2, add(1, cos(mul(Math.PI, progress))))));
}

/**
 * A learner state that starts from `weights`: they are the average too, moments and step are 0.
 *
 * @param header names, or paths, of the weights of group "header"
 * @throws {RangeError} when a group would be empty
 */
export function initialize(weights: Tensors, header: readonly string[]): Tensors {
  const lies = (name: string) => header.some((path) => name === path || name.startsWith(`${path}/`));
  const state: Tensors = {};
  for (const group of GROUPS) {
    const own = Object.entries(weights).filter(([name]) => lies(name) === (group === "header"));
    if (own.length === 0) {
      throw new RangeError(
        `Cannot train an empty parameter group "${group}": header is ${header.join(", ")}, the weights are ` +
          Object.keys(weights).join(", "),
      );
    }
    const parameters = copied(Object.fromEntries(own.map(([name, x]) => [`${group}/${name}`, x])));
    Object.assign(
      state,
      parameters,
      moved(copied(parameters), group, `ema/${group}`),
      initializeAdamW(parameters, group),
    );
  }
  return { ...state, step: scalar(0) };
}

/** The weights of both groups under their own names. */
export function joined<T>(state: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    GROUPS.flatMap((group) =>
      Object.entries(part(state, group)).map(([name, x]) => [name.slice(group.length + 1), x])
    ),
  );
}

/** The weights that act: the averaged ones of a learner state. */
export function acting(state: Tensors): Tensors {
  const averaged = GROUPS.flatMap((group) => Object.entries(moved(state, `ema/${group}`, group)));
  return copied(joined(Object.fromEntries(averaged)));
}

/** A loss of weights under their own names, and what else is worth knowing of it. */
export type Objective = (weights: Weights, batch: Weights) => { loss: Scalar; metrics: Weights };

/** One gradient step of both groups and one step of the averaged weights, for `compileUpdate`. */
export function update(objective: Objective, h: Optimization) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Weights } => {
    const parameters = { ...part(state, "model"), ...part(state, "header") };
    const { loss, gradients, metrics } = valueAndGradients(
      (w) => objective(joined(w), batch),
      parameters,
    );
    const step = entry(state, "step");
    const share = schedule(step, h);
    let next: Weights = state;
    const norms: Weights = {};
    for (const group of GROUPS) {
      const clipped = clipByGlobalNorm(part(gradients, group), h[group].clipNorm);
      norms[`${group}/gradientNorm`] = clipped.norm;
      next = {
        ...next,
        ...adamW(state, group, clipped.gradients, {
          learningRate: mul(h[group].learningRate, share),
          weightDecay: h.weightDecay,
          beta2: 0.95,
        }),
      };
    }
    for (const group of GROUPS) {
      next = { ...next, ...polyak(next, group, `ema/${group}`, 1 - h.ema) };
    }
    return { state: { ...next, step: add(step, 1) }, metrics: { ...metrics, loss, ...norms } };
  };
}
