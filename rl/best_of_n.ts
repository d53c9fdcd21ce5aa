/**
 * The best of N: a frozen policy proposes N chunks from N draws of noise, a critic on chunks chooses
 *
 *   a* = argmax_i agg_k Q_k(s, a_i),
 *
 * the first one among equals. Nothing of the policy is trained. As in Q-chunking (Li et al. 2025, arXiv:2507.07969),
 * which bounds the distance to the policy by KL ≤ log N - (N - 1) / N. With N = 1 it is the policy.
 */
import { expandDims, reshape, type Tensor, tile } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import type { Shapes } from "../engine/trace.ts";
import { part } from "../nn/weights.ts";
import { aggregate, hyperparameters, q, type Sizes } from "./chunk_q.ts";

/** How proposals are scored. */
export const scoring = z.strictObject({
  critic: z.enum(["target", "critic"]).default("target").describe(
    "which critics score: the averaged ones, or the newest as in QC's code",
  ),
  aggregate: z.enum(["min", "mean"]).default("mean").describe("agg over critics; QC's code has the mean"),
  activation: hyperparameters.shape.activation,
});
/** Parsed scoring. */
export type Scoring = z.output<typeof scoring>;

/** agg_k Q_k(s, a_i) of N proposals each: states [B, S], chunks [B · N, C] → [B, N]. */
export function scores(weights: Weights, state: Tensor, chunks: Tensor, how: Scoring): Tensor {
  const [batch, width] = state.shape as [number, number];
  const count = chunks.shape[0]! / batch;
  const states = reshape(tile(expandDims(state, 1), [1, count, 1]), [batch * count, width]);
  return reshape(aggregate(q(weights, how.critic, states, chunks, how), how.aggregate), [batch, count]);
}

/**
 * The scoring program: the critics' weights by name, "state" [batch, S], "chunks" [batch · candidates, C] → "scores"
 * [batch, candidates].
 *
 * @param weights shapes of a learner state that holds the critics
 */
export function scoreProgram(
  weights: Shapes,
  { batch, candidates, state, chunk }: Sizes & { readonly batch: number; readonly candidates: number },
  how: Scoring,
): Program {
  return compile(
    ({ state, chunks, ...critics }) => ({ scores: scores(critics, state!, chunks!, how) }),
    { ...part(weights, how.critic), state: [batch, state], chunks: [batch * candidates, chunk] },
  );
}

/** Index of the greatest of `values`, the first one among equals. */
export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
