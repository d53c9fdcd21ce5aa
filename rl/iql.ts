/**
 * Implicit Q-learning (Kostrikov et al. 2021, arXiv:2110.06169; public code ikostrikov/implicit_q_learning, critic.py) on
 * chunk transitions. V is an expectile of Q̄ over the chunks that were executed: no chunk is asked about that nobody tried,
 * and no policy is needed, so a flow policy without a density will do.
 *
 * Departures: L_Q is the mean over critics where the code has the sum, a factor that Adam does not see; y takes the next
 * chunk's value at γ^h; V may have layer normalisation, as the critics.
 */
import {
  greater,
  mean,
  mul,
  type Scalar,
  square,
  squeeze,
  sub,
  type Tensor,
  where,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, mlps } from "../nn/mlp.ts";
import { initializeAdamW, polyak } from "../nn/optimizer.ts";
import { part, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import * as chunkQ from "./chunk_q.ts";

/** Chunk critics, and the expectile. */
export const hyperparameters = chunkQ.hyperparameters.extend({
  expectile: z.number().gt(0).lt(1).default(0.7).describe(
    "of Q̄ over executed chunks; 0.5 is their mean, 1 would be their best",
  ),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** What the update reports. */
export type Metric = "loss" | "critic/loss" | "critic/q" | "critic/target" | "value/loss" | "value/v";

/** V(s): [B, S] → [B]. */
export function v(weights: Weights, state: Tensor, { activation }: Pick<Hyperparameters, "activation">) {
  return squeeze(mlps[activation](weights, "value", state), [1]);
}

/** ρ_τ(u) = |τ - 1[u ≤ 0]| u²: asymmetric squares of u [B], whose least mean is the τ-expectile. */
export function expectileLoss(u: Tensor, expectile: number): Tensor {
  return mul(where(greater(u, 0), expectile, 1 - expectile), square(u));
}

/** L_V = E ρ_τ(min_i Q̄_i(s, a) - V(s)). */
export function valueLoss(
  value: Weights,
  weights: Weights,
  b: Pick<chunkQ.Minibatch, "state" | "chunk">,
  h: Pick<Hyperparameters, "activation" | "expectile">,
) {
  const target = stopGradient(
    chunkQ.aggregate(chunkQ.q(weights, "target", b.state, b.chunk, h), "min"),
  );
  const values = v(value, b.state, h);
  const loss: Scalar = mean(expectileLoss(sub(target, values), h.expectile));
  return { loss, metrics: { "value/loss": loss, "value/v": mean(values) } };
}

/** One update in the public code's order: V, then the critics towards the new V, then their targets. */
export function update(h: Hyperparameters) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const b = batch as unknown as chunkQ.Minibatch;
    const value = chunkQ.descend(state, "value", (w) => valueLoss(w, state, b, h), h);
    const y = chunkQ.target(b, v(value.state, b.nextState, h), h);
    const critic = chunkQ.descend(value.state, "critic", (w) => chunkQ.criticLoss(w, b, y, h), h);
    const metrics = { ...value.metrics, ...critic.metrics };
    return {
      state: { ...critic.state, ...polyak(critic.state, "critic", "target", h.tau) },
      metrics: { ...metrics, loss: metrics["critic/loss"]! } as Record<Metric, Tensor>,
    };
  };
}

/** Shapes of one step of `update`. */
export function updateShapes(sizes: chunkQ.Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  return {
    state: shapesOf(initialize(new Stream([0, 0]), sizes, h)),
    batch: chunkQ.batchShapes(sizes, h),
  };
}

/** A complete learner state: critics, targets, V "value/…", zero moments. */
export function initialize(stream: Stream, sizes: chunkQ.Sizes, h: Hyperparameters): Tensors {
  const hidden = Array<number>(h.layers).fill(h.width);
  const value = initializeMlp(stream, "value", { input: sizes.state, hidden, output: 1 }, {
    layerNorm: h.layerNorm,
  });
  return {
    ...chunkQ.initializeCritics(stream, sizes, h),
    ...value,
    ...initializeAdamW(value, "value"),
  };
}

/** min_i Q̄_i(s, a) and V(s) of `batch` rows: the weights by name, "state" [B, S], "chunk" [B, C] → "q" [B], "v" [B]. */
export function advantageProgram(
  weights: Shapes,
  { batch, state, chunk }: chunkQ.Sizes & { readonly batch: number },
  h: Pick<Hyperparameters, "activation">,
): Program {
  return compile(({ state, chunk, ...networks }) => ({
    q: chunkQ.aggregate(chunkQ.q(networks, "target", state!, chunk!, h), "min"),
    v: v(networks, state!, h),
  }), {
    ...part(weights, "target"),
    ...part(weights, "value"),
    state: [batch, state],
    chunk: [batch, chunk],
  });
}
