/**
 * QC-FQL: QC with a one-step policy μ(o, z) that is distilled from the behaviour flow and climbs Q at the same time, in
 * place of the best of N: one pass of a network instead of N times ten.
 * Li et al. 2025, arXiv:2507.07969, after FQL (Park et al. 2025, arXiv:2502.02538); public code
 * github.com/ColinQiyangLi/qc (agents/acfql.py, actor_type distill-ddpg). Departures: those of qc.ts; μ gives physical
 * units, in which the code's losses are, and ends are not squashed but clipped, as in the code.
 */
import {
  add,
  clipByValue,
  concat,
  mean,
  mul,
  neg,
  reshape,
  type Scalar,
  squaredDifference,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, siluMlp } from "../nn/mlp.ts";
import { initializeAdamW, polyak } from "../nn/optimizer.ts";
import { part, shapesOf } from "../nn/weights.ts";
import { normalized, type PolicyNormalization } from "../policies/policy.ts";
import { Stream } from "../random.ts";
import { descend, q } from "./dsrl.ts";
import * as qc from "./qc.ts";

/** Settings of QC-FQL; the public code's values. */
export const hyperparameters = qc.chunkLearner.extend({
  alpha: z.number().min(0).default(100).describe("Weight of the distillation; to be tuned for each world"),
});
/** Parsed settings. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** One minibatch of chunk transitions. */
export interface Minibatch extends Omit<qc.Minibatch, "nextNoise"> {
  /** z ~ N(0, I), [B, h, A]: where μ and the flow both start. */
  start: Tensor;
  /** z′ ~ N(0, I), [B, 1, h, A]: draws a′. */
  nextNoise: Tensor;
}

/** What the update reports. */
export type Metric = qc.Metric | "actor/loss" | "actor/distillation" | "actor/q";

/** μ(o, z), flat, not clipped: features [B, F], z [B, h, A] → [B, C]. */
export function oneStep(
  weights: Weights,
  features: Tensor,
  z: Tensor,
  units: PolicyNormalization,
): Tensor {
  const flat = reshape(z, [z.shape[0]!, -1]);
  return siluMlp(weights, "onestep", concat([normalized(features, units.features), flat], 1));
}

/** a = clip(μ(o, z), -1, 1), the chunk that acts: [B, C]. */
export function act(weights: Weights, features: Tensor, z: Tensor, units: PolicyNormalization): Tensor {
  return clipByValue(oneStep(weights, features, z, units), -1, 1);
}

/** L_μ = α E |μ(o, z) - ODE(o, z)|² - E mean_i Q_i(s, clip μ(o, z)); flow and critics are those of `weights`. */
export function actorLoss(
  actor: Weights,
  weights: Weights,
  b: Pick<Minibatch, "state" | "features" | "start">,
  units: PolicyNormalization,
  h: Hyperparameters,
) {
  const flow = stopGradient(qc.draw(weights, b.features, b.start, units, h));
  const chunk = oneStep(actor, b.features, b.start, units);
  const distillation: Scalar = mean(squaredDifference(chunk, flow));
  const value: Scalar = mean(q(weights, "critic", b.state, clipByValue(chunk, -1, 1), h));
  const loss: Scalar = add(mul(h.alpha, distillation), neg(value));
  return {
    loss,
    metrics: { "actor/loss": loss, "actor/distillation": distillation, "actor/q": value },
  };
}

/** Critic, flow and μ step together down the total loss, then the targets follow. For `compileUpdate`. */
export function update(h: Hyperparameters, units: PolicyNormalization, { horizon }: qc.Sizes) {
  const discount = h.gamma ** horizon;
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const b = batch as unknown as Minibatch;
    const next = act(state, b.nextFeatures, reshape(b.nextNoise, b.start.shape), units);
    const y = qc.target(state, b, next, discount, h);
    const steps = [
      ["critic", (weights: Weights) => qc.criticLoss(weights, b, y, h)],
      ["velocity", (weights: Weights) => qc.flowLoss(weights, b, units)],
      ["onestep", (weights: Weights) => actorLoss(weights, state, b, units, h)],
    ] as const;
    let stepped = state, metrics: Weights = {};
    for (const [group, loss] of steps) {
      const one = descend(stepped, group, loss, qc.optimizer(h));
      stepped = one.state;
      metrics = { ...metrics, ...one.metrics };
    }
    const loss = ["critic/loss", "flow/loss", "actor/loss"].map((name) => metrics[name]!).reduce((x, y) =>
      add(x, y)
    );
    return {
      state: { ...stepped, ...polyak(stepped, "critic", "target", h.tau) },
      metrics: { ...metrics, loss } as Record<Metric, Tensor>,
    };
  };
}

/** Shapes of one step of `update`. */
export function updateShapes(sizes: qc.Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const chunk = [sizes.horizon, sizes.action];
  return {
    state: shapesOf(initialize(new Stream([0, 0]), sizes, h)),
    batch: qc.batchShapes(sizes, h, { start: chunk, nextNoise: [1, ...chunk] }),
  };
}

/** A complete learner state: that of QC, and μ. */
export function initialize(stream: Stream, sizes: qc.Sizes, h: Hyperparameters): Tensors {
  const chunk = sizes.horizon * sizes.action;
  const hidden = Array<number>(h.layers).fill(h.width);
  const start = qc.initialize(stream, sizes, h);
  const actor = initializeMlp(stream, "onestep", { input: sizes.features + chunk, hidden, output: chunk }, {
    layerNorm: false,
  });
  return { ...start, ...actor, ...initializeAdamW(actor, "onestep") };
}

/** The acting program: μ by name, "features" [L, F], "noise" [L, 1, h, A] ~ N(0, I) → "chunk" [L, C]. */
export function actingProgram(
  { lanes, sizes, units, h }: {
    lanes: number;
    sizes: qc.Sizes;
    units: PolicyNormalization;
    h: Hyperparameters;
  },
): Program {
  const chunk = [sizes.horizon, sizes.action];
  const weights = shapesOf(initialize(new Stream([0, 0]), sizes, h));
  return compile(
    ({ features, noise, ...actor }) => ({
      chunk: act(actor, features!, reshape(noise!, [lanes, ...chunk]), units),
    }),
    { ...part(weights, "onestep"), features: [lanes, sizes.features], noise: [lanes, 1, ...chunk] },
  );
}
