/**
 * QC-FQL: QC with a one-step policy μ(o, z) that is distilled from the behaviour flow and climbs Q at the same time, in
 * place of the best of N: one pass of a network instead of N times ten.
 * Li et al. 2025, arXiv:2507.07969, after FQL (Park et al. 2025, arXiv:2502.02538); public code
 * github.com/ColinQiyangLi/qc (agents/acfql.py, actor_type distill-ddpg). Departures: those of qc.ts; μ gives physical
 * units, in which the code's losses are, and ends are not squashed but clipped, as in the code.
 */
import {
  clipByValue,
  concat,
  mean,
  mul,
  reshape,
  type Scalar,
  squaredDifference,
  sub,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, siluMlp } from "../nn/mlp.ts";
import { initializeAdamW } from "../nn/optimizer.ts";
import { part, shapesOf } from "../nn/weights.ts";
import { normalized, type PolicyNormalization } from "../policies/policy.ts";
import { Stream } from "../random.ts";
import * as chunkQ from "./chunk_q.ts";
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
export type Metric = qc.Metric | "onestep/loss" | "onestep/distillation" | "onestep/q";

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
  const value: Scalar = mean(chunkQ.q(weights, "critic", b.state, clipByValue(chunk, -1, 1), h));
  const loss: Scalar = sub(mul(h.alpha, distillation), value);
  return {
    loss,
    metrics: { "onestep/loss": loss, "onestep/distillation": distillation, "onestep/q": value },
  };
}

/** Critic, flow and μ step together down the total loss, then the targets follow. For `compileUpdate`. */
export function update(h: Hyperparameters, units: PolicyNormalization) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const b = batch as unknown as Minibatch;
    const next = act(state, b.nextFeatures, reshape(b.nextNoise, b.start.shape), units);
    const y = qc.target(state, b, next, h);
    return qc.step(state, {
      critic: (weights) => chunkQ.criticLoss(weights, b, y, h),
      velocity: (weights) => qc.flowLoss(weights, b, units),
      onestep: (weights) => actorLoss(weights, state, b, units, h),
    }, h);
  };
}

/** Shapes of one step of `update`. */
export function updateShapes(sizes: qc.Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const chunk = [h.horizon, sizes.action];
  return {
    state: shapesOf(initialize(new Stream([0, 0]), sizes, h)),
    batch: qc.batchShapes(sizes, h, { start: chunk, nextNoise: [1, ...chunk] }),
  };
}

/** A complete learner state: that of QC, and μ. */
export function initialize(stream: Stream, sizes: qc.Sizes, h: Hyperparameters): Tensors {
  const chunk = h.horizon * sizes.action;
  const hidden = Array<number>(h.layers).fill(h.width);
  const start = qc.initialize(stream, sizes, h);
  const actor = initializeMlp(stream, "onestep", { input: sizes.features + chunk, hidden, output: chunk }, {
    layerNorm: false,
  });
  return { ...start, ...actor, ...initializeAdamW(actor, "onestep") };
}

/** μ as a program, like `sampler` of qc.ts: "onestep/…" by name, "features", "noise" → "actions". */
export function sampler(
  rows: number,
  sizes: qc.Sizes,
  units: PolicyNormalization,
  h: Hyperparameters,
): Program {
  const chunk = [rows, h.horizon, sizes.action];
  return compile(
    ({ features, noise, ...actor }) => ({ actions: reshape(act(actor, features!, noise!, units), chunk) }),
    {
      ...part(shapesOf(initialize(new Stream([0, 0]), sizes, h)), "onestep"),
      features: [rows, sizes.features],
      noise: chunk,
    },
  );
}
