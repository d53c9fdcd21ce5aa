/**
 * QC, Q-chunking: a critic on chunks of h actions, Q(s, a), beside a behaviour flow that clones the buffer. The best of N
 * chunks drawn from the flow acts, and stands in the critic's target: nothing else is trained.
 * Li et al. 2025, arXiv:2507.07969; public code github.com/ColinQiyangLi/qc (agents/acfql.py, actor_type best-of-n).
 *
 * Departures from the public code:
 * 1. The flow is that of policies/flow.ts: t = 1 is noise and u = ε - a, so v is minus the code's and t is 1 - t; the
 *    loss is the same. Its observations and actions are normalised; chunks are given and taken in physical units.
 * 2. Networks: SiLU in the flow, LayerNorm before tanh or ReLU in the critics; the code has GELU, and LayerNorm after it.
 * 3. The target may take fewer candidates than acting; 32 for both is the code's.
 * 4. The ends of successes may be padded (data/chunk_transitions.ts); the code drops them.
 */
import {
  add,
  argMax,
  cast,
  clipByValue,
  expandDims,
  gather,
  mean,
  mul,
  reshape,
  type Scalar,
  squaredDifference,
  type Tensor,
  tile,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { constant, type Shapes } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { initializeAdamW, polyak } from "../nn/optimizer.ts";
import { part, shapesOf } from "../nn/weights.ts";
import * as flow from "../policies/flow.ts";
import { denormalized, normalized, type PolicyNormalization } from "../policies/policy.ts";
import { Stream } from "../random.ts";
import { scores } from "./best_of_n.ts";
import * as chunkQ from "./chunk_q.ts";
import { interpolate } from "./weighted_flow.ts";

const { horizon, rewardBias, batch } = chunkQ.hyperparameters.shape;

/** What QC and QC-FQL share; the public code's values where it gives one. */
export const chunkLearner = chunkQ.hyperparameters.extend({
  horizon: horizon.removeDefault().default(5),
  rewardBias: rewardBias.removeDefault().default(-1),
  batch: batch.removeDefault().default(256),
  buffer: z.int().min(1).default(2_000_000).describe("Capacity of the replay buffer, chunk transitions"),
  reduction: z.enum(["mean", "min"]).default("mean").describe("Over critics, in target and choice"),
  flowSteps: z.int().min(1).default(10).describe("Euler steps from noise to chunk"),
});
/** Settings of QC; the public code's values. */
export const hyperparameters = chunkLearner.extend({
  candidates: z.int().min(1).default(32).describe("Chunks N drawn from the flow where it acts"),
  targetCandidates: z.int().min(1).default(32).describe("Chunks drawn from the flow in the critic's target"),
});
/** Parsed settings that QC and QC-FQL share. */
export type ChunkLearner = z.output<typeof chunkLearner>;
/** Parsed settings of QC. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** Widths: S numbers of a state, F features of the flow, chunks of h actions of A numbers. */
export interface Sizes {
  /** Numbers the critic sees, S. */
  readonly state: number;
  /** Numbers the flow sees, F. */
  readonly features: number;
  /** Numbers of an action, A. */
  readonly action: number;
}

/** One minibatch of chunk transitions; C = h A. */
export interface Minibatch {
  /** s_t as the critic sees it, [B, S]. */
  state: Tensor;
  /** s_t as the flow sees it, [B, F]; physical units. */
  features: Tensor;
  /** a_t ... a_{t+h-1} as executed, [B, C]. */
  chunk: Tensor;
  /** 1 for steps of the chunk to clone, [B, h]. */
  weight: Tensor;
  /** R = Σ_k γ^k r_{t+k}, [B]. */
  reward: Tensor;
  /** m, [B]: 0 where the success lies in the chunk. */
  mask: Tensor;
  /** 1 for transitions the critic learns from, [B]. */
  valid: Tensor;
  /** s_{t+h} as the critic sees it, [B, S]. */
  nextState: Tensor;
  /** s_{t+h} as the flow sees it, [B, F]. */
  nextFeatures: Tensor;
  /** ε ~ N(0, I) of the flow's loss, [B, h, A]. */
  noise: Tensor;
  /** t ~ U(0, 1] of the flow's loss, [B]. */
  time: Tensor;
  /** ε′ ~ N(0, I), [B, N, h, A]: draws the candidates at s_{t+h}. */
  nextNoise: Tensor;
}

/** What the update reports; "loss" is the public code's total. */
export type Metric = "loss" | "critic/loss" | "critic/q" | "critic/target" | "velocity/loss";

/** Chunks drawn from the flow, flat and within [-1, 1]: features [B, F], noise [B, h, A] → [B, C]. */
export function draw(
  weights: Weights,
  features: Tensor,
  noise: Tensor,
  units: PolicyNormalization,
  { flowSteps }: Pick<ChunkLearner, "flowSteps">,
): Tensor {
  const chunk = flow.sample(weights, normalized(features, units.features), noise, flowSteps);
  return reshape(clipByValue(denormalized(chunk, units.actions), -1, 1), [noise.shape[0]!, -1]);
}

/** Every row N times over: [B, D] → [B N, D]. */
function repeated(x: Tensor, times: number): Tensor {
  return reshape(tile(expandDims(x, 1), [1, times, 1]), [x.shape[0]! * times, x.shape[1]!]);
}

/** a* = argmax_n Q(s, a_n) over N chunks a_n of the flow; Q is the online critics' mean. noise [B, N, h, A] → [B, C]. */
export function bestOfN(
  weights: Weights,
  { state, features, noise }: { state: Tensor; features: Tensor; noise: Tensor },
  units: PolicyNormalization,
  h: ChunkLearner,
): Tensor {
  const [rows, candidates, ...chunk] = noise.shape as [number, number, number, number];
  const drawn = draw(
    weights,
    repeated(features, candidates),
    reshape(noise, [rows * candidates, ...chunk]),
    units,
    h,
  );
  if (candidates === 1) return drawn;
  const how = { critic: "critic", aggregate: h.reduction, activation: h.activation } as const;
  const best = argMax(scores(weights, state, drawn, how), 1);
  const first = Float32Array.from({ length: rows }, (_, row) => row * candidates);
  return gather(drawn, add(best, cast(constant(ndarray([rows], first)), "int32")) as never);
}

/** y = R + γ^h m mean_i Q̄_i(s_{t+h}, a′): [B]. */
export function target(
  weights: Weights,
  b: Pick<Minibatch, "reward" | "mask" | "nextState">,
  nextChunk: Tensor,
  h: ChunkLearner,
): Tensor {
  return chunkQ.target(
    b,
    chunkQ.aggregate(chunkQ.q(weights, "target", b.nextState, nextChunk, h), h.reduction),
    h,
  );
}

/** L_flow = E |v(o, x_t, t) - (ε - a)|² weight, over rows, steps and dimensions, in normalised units. */
export function flowLoss(
  weights: Weights,
  b: Pick<Minibatch, "features" | "chunk" | "weight" | "noise" | "time">,
  units: PolicyNormalization,
) {
  const actions = normalized(reshape(b.chunk, b.noise.shape), units.actions);
  const { chunk, target } = interpolate({ actions, noise: b.noise, time: b.time });
  const v = flow.velocity(weights, normalized(b.features, units.features), chunk, b.time);
  const loss: Scalar = mean(mul(b.weight, mean(squaredDifference(v, target), 2)));
  return { loss, metrics: { "velocity/loss": loss } };
}

/** Critic and flow step together down the total loss, then the targets follow. For `compileUpdate`. */
export function update(h: Hyperparameters, units: PolicyNormalization) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const b = batch as unknown as Minibatch;
    const next = { state: b.nextState, features: b.nextFeatures, noise: b.nextNoise };
    const y = target(state, b, bestOfN(state, next, units, h), h);
    return step(state, {
      critic: (weights) => chunkQ.criticLoss(weights, b, y, h),
      velocity: (weights) => flowLoss(weights, b, units),
    }, h);
  };
}

/** One step of each group of networks down its loss, all taken at the same point, then one of the targets. */
export function step<M extends string>(
  state: Weights,
  losses: Readonly<Record<string, (weights: Weights) => { loss: Scalar; metrics: Weights }>>,
  h: ChunkLearner,
): { state: Weights; metrics: Record<M, Tensor> } {
  let stepped = state, metrics: Weights = {}, total: Tensor | undefined;
  for (const [group, loss] of Object.entries(losses)) {
    const one = chunkQ.descend(stepped, group, loss, h);
    stepped = one.state;
    metrics = { ...metrics, ...one.metrics };
    const own = one.metrics[`${group}/loss`]!;
    total = total ? add(total, own) : own;
  }
  return {
    state: { ...stepped, ...polyak(stepped, "critic", "target", h.tau) },
    metrics: { ...metrics, loss: total! } as Record<M, Tensor>,
  };
}

/** Row shapes of the stored columns. */
export function columns(
  { state, features, action }: Sizes,
  { horizon }: Pick<ChunkLearner, "horizon">,
): Record<string, readonly number[]> {
  return {
    state: [state],
    features: [features],
    chunk: [horizon * action],
    weight: [horizon],
    reward: [],
    mask: [],
    valid: [],
    nextState: [state],
    nextFeatures: [features],
  };
}

/** Shapes of one step of an update: the stored columns, and what is drawn. */
export function batchShapes(sizes: Sizes, h: ChunkLearner, drawn: Shapes): Shapes {
  const rows = { ...columns(sizes, h), noise: [h.horizon, sizes.action], time: [], ...drawn };
  return Object.fromEntries(Object.entries(rows).map(([name, shape]) => [name, [h.batch, ...shape]]));
}

/** Shapes of one step of `update`. */
export function updateShapes(sizes: Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const drawn = { nextNoise: [h.targetCandidates, h.horizon, sizes.action] };
  return {
    state: shapesOf(initialize(new Stream([0, 0]), sizes, h)),
    batch: batchShapes(sizes, h, drawn),
  };
}

/** A complete learner state: critics and equal targets, the flow, zero moments. */
export function initialize(stream: Stream, sizes: Sizes, h: ChunkLearner): Tensors {
  const { layers, width, horizon } = h;
  const critics = chunkQ.initializeCritics(
    stream,
    { state: sizes.state, chunk: horizon * sizes.action },
    h,
  );
  const form = flow.hyperparameters.parse({ layers, width });
  const velocity = part(flow.initialize(stream, { ...sizes, horizon }, form), "velocity");
  return { ...critics, ...velocity, ...initializeAdamW(velocity, "velocity") };
}

/**
 * The flow as a program for `rows` rows: "velocity/…" by name, "features" [R, F], "noise" [R, h, A] ~ N(0, I) →
 * "actions" [R, h, A].
 */
export function sampler(rows: number, sizes: Sizes, units: PolicyNormalization, h: ChunkLearner): Program {
  const chunk = [rows, h.horizon, sizes.action];
  return compile(
    ({ features, noise, ...weights }) => ({
      actions: reshape(draw(weights, features!, noise!, units, h), chunk),
    }),
    {
      ...part(shapesOf(initialize(new Stream([0, 0]), sizes, h)), "velocity"),
      features: [rows, sizes.features],
      noise: chunk,
    },
  );
}
