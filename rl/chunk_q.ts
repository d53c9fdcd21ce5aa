/**
 * Critics on chunks of actions, Q(s, a_t ... a_{t+h-1}), as Q-chunking has them (Li et al. 2025, arXiv:2507.07969; public
 * code ColinQiyangLi/qc, agents/acfql.py): an ensemble with layer normalisation and averaged targets. Where the value of
 * the next state comes from is the business of the methods: expectiles (`iql.ts`), the best of N proposals, an actor.
 *
 * Departures: as PyTorch's AdamW with a decay and a gradient norm that can be set (0 and none there); networks of relu or
 * tanh for gelu.
 */
import {
  add,
  concat,
  mean,
  min,
  mul,
  type Scalar,
  squaredDifference,
  squeeze,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, mlps } from "../nn/mlp.ts";
import { adamW, clipByGlobalNorm, initializeAdamW } from "../nn/optimizer.ts";
import { copied, moved, part } from "../nn/weights.ts";
import type { Stream } from "../random.ts";

/** Chunks, networks and optimisation; h, gamma, the step size and the batch are the brief's, the networks QC's. */
export const hyperparameters = z.strictObject({
  horizon: z.int().min(1).max(64).default(10).describe("h, control steps of a chunk"),
  gamma: z.number().min(0).max(1).default(0.99).describe("Discount per control step: gamma^h per chunk"),
  rewardScale: z.number().positive().default(1).describe("Reward of a success before the bias"),
  rewardBias: z.number().default(0).describe("Added to the reward of every step: -1 with scale 1 is -1/0"),
  ends: z.enum(["padded", "dropped"]).default("padded").describe(
    "chunks cut short by success: padded with the no-op, or left out as QC's code does",
  ),
  steps: z.int().min(1).default(1_000_000).describe("Gradient steps; QC's offline phase"),
  batch: z.int().min(1).default(32).describe("Chunk transitions per minibatch"),
  learningRate: z.number().positive().default(3e-4).describe("AdamW step size"),
  weightDecay: z.number().min(0).default(0).describe("AdamW decay"),
  clipNorm: z.number().positive().nullable().default(null).describe("Gradient norm per network; null: none"),
  tau: z.number().min(0).max(1).default(0.005).describe("Polyak rate of the target critics"),
  critics: z.int().min(1).default(2).describe("K, ensemble of critics"),
  layers: z.int().min(1).default(4).describe("Hidden layers"),
  width: z.int().min(1).default(512).describe("Units of a hidden layer"),
  layerNorm: z.boolean().default(true).describe("Layer normalisation in critics"),
  activation: z.enum(["relu", "tanh"]).default("relu").describe("Activation of critics"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** Widths: S numbers of a state, C = h · A of a chunk. */
export interface Sizes {
  /** S. */
  readonly state: number;
  /** C. */
  readonly chunk: number;
}

/** One minibatch of chunk transitions, see `data/chunk_transitions.ts`. */
export interface Minibatch {
  /** s, [B, S]. */
  state: Tensor;
  /** a, [B, C]. */
  chunk: Tensor;
  /** R, [B]: h-step discounted reward. */
  reward: Tensor;
  /** m, [B]: 0 where the success lies in the chunk. */
  mask: Tensor;
  /** s′ after the chunk, [B, S]. */
  nextState: Tensor;
}

/** Q_i(s, a) of the critics, or of their averaged targets: [B, S], [B, C] → [K, B]. */
export function q(
  weights: Weights,
  name: "critic" | "target",
  state: Tensor,
  chunk: Tensor,
  { activation }: Pick<Hyperparameters, "activation">,
): Tensor {
  return squeeze(mlps[activation](weights, name, concat([state, chunk], 1)), [2]);
}

/** agg_i Q_i: [K, B] → [B]. */
export function aggregate(values: Tensor, how: "min" | "mean"): Tensor {
  return how === "min" ? min(values, 0) : mean(values, 0);
}

/** y = R + γ^h m V′ for the value V′ [B] of the next states; no gradient flows through it. */
export function target(
  b: Pick<Minibatch, "reward" | "mask">,
  nextValue: Tensor,
  { gamma, horizon }: Pick<Hyperparameters, "gamma" | "horizon">,
): Tensor {
  return stopGradient(add(b.reward, mul(mul(gamma ** horizon, b.mask), nextValue)));
}

/** L_Q = mean_i E[(Q_i(s, a) - y)² valid]; without `valid` [B] all are. */
export function criticLoss(
  critic: Weights,
  b: Pick<Minibatch, "state" | "chunk"> & { valid?: Tensor },
  y: Tensor,
  h: Pick<Hyperparameters, "activation">,
) {
  const values = q(critic, "critic", b.state, b.chunk, h);
  const error = squaredDifference(values, y);
  const loss: Scalar = mean(b.valid ? mul(error, b.valid) : error);
  return { loss, metrics: { "critic/loss": loss, "critic/q": mean(values), "critic/target": mean(y) } };
}

/** One AdamW step of the networks `group` down `loss`. Returns all of the state with it. */
export function descend(
  state: Weights,
  group: string,
  loss: (weights: Weights) => { loss: Scalar; metrics: Weights },
  { learningRate, weightDecay, clipNorm }: Pick<
    Hyperparameters,
    "learningRate" | "weightDecay" | "clipNorm"
  >,
): { state: Weights; metrics: Weights } {
  const { gradients, metrics } = valueAndGradients(loss, part(state, group));
  const used = clipNorm === null ? gradients : clipByGlobalNorm(gradients, clipNorm).gradients;
  return { state: { ...state, ...adamW(state, group, used, { learningRate, weightDecay }) }, metrics };
}

/** Critics "critic/…", equal targets "target/…", zero moments. */
export function initializeCritics(stream: Stream, sizes: Sizes, h: Hyperparameters): Tensors {
  const hidden = Array<number>(h.layers).fill(h.width);
  const critic = initializeMlp(stream, "critic", { input: sizes.state + sizes.chunk, hidden, output: 1 }, {
    layerNorm: h.layerNorm,
    ensemble: h.critics,
  });
  return { ...critic, ...moved(copied(critic), "critic", "target"), ...initializeAdamW(critic, "critic") };
}

/** Shapes of a minibatch. */
export function batchShapes({ state, chunk }: Sizes, { batch }: Pick<Hyperparameters, "batch">) {
  return {
    state: [batch, state],
    chunk: [batch, chunk],
    reward: [batch],
    mask: [batch],
    nextState: [batch, state],
  };
}
