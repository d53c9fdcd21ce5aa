/**
 * PLD: residual SAC on a frozen base policy, its critic started by Cal-QL (`calql.ts`).
 * Xiao et al. 2025, arXiv:2511.00091. Executed action: ā = clip(a_b + ξ z, -1, 1), z = tanh u, u ~ N(μ, σ²)(s, a_b).
 *
 * Departures, and choices where the paper is silent:
 * 1. log π is the density of z, not of ξ z, so H̄ keeps its meaning while ξ follows its schedule.
 * 2. The target takes the minimum over critics, the actor their mean, and no entropy enters the backup: as SERL does.
 * 3. The gripper dimension may have its own ξ: its commands are about ±1 and the environment integrates their sign, so
 *    a residual with ξ < 1 never changes what a saturated command does.
 * 4. The last layer of the actor starts at 0.01 of its usual size: the first deterministic residual is then nearly 0
 *    and the specialist starts as the base.
 * 5. log α descends L_α / α by a plain gradient step. SERL uses Adam, which divides the factor α out as well; without
 *    moments the step can follow the entropy quickly in a short run.
 * 6. Losses are descended one after the other, each seeing the newest weights; SERL takes all gradients at the old ones.
 */
import {
  abs,
  add,
  concat,
  div,
  exp,
  max,
  mean,
  min,
  mul,
  neg,
  reshape,
  type Scalar,
  squaredDifference,
  squeeze,
  sub,
  type Tensor,
  tile,
  unstack,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import { scalar, type Tensors } from "../ndarray.ts";
import { initializeMlp, tanhMlp } from "../nn/mlp.ts";
import { adamW, clipByGlobalNorm, initializeAdamW, polyak } from "../nn/optimizer.ts";
import { copied, entry, moved, part, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import { act, initializeActor, type Sizes } from "./residual.ts";

/** Table 5 of the paper is the default of every value it gives; the description names the source of the others. */
export const hyperparameters = z.strictObject({
  batch: z.int().min(1).default(256).describe("Transitions per minibatch"),
  buffer: z.int().min(1).default(250_000).describe("Capacity of the online replay buffer, transitions"),
  gamma: z.number().min(0).max(1).default(0.99).describe("Discount per control step"),
  tau: z.number().min(0).max(1).default(0.005).describe("Polyak rate of the target critics"),
  learningRate: z.number().positive().default(3e-4).describe("AdamW step size of actor and critics"),
  weightDecay: z.number().min(0).default(1e-4).describe("AdamW decay; Optax' default, not in Table 5"),
  clipNorm: z.number().positive().default(1).describe("Global gradient norm, per network"),
  rewardScale: z.number().positive().default(1).describe(
    "Reward of a success before the bias; not in Table 5",
  ),
  rewardBias: z.number().default(0).describe("Added to every reward"),
  warmupEpisodes: z.int().min(0).default(100).describe("Episodes of the base alone before the residual acts"),
  criticUpdates: z.int().min(1).default(2).describe("Critic steps per actor step"),
  nextActions: z.int().min(1).default(1).describe("On-the-fly ratio: next actions in the max of the target"),
  xi: z.number().min(0).max(2).default(0.5).describe("Residual scale at the end of its schedule"),
  xiGripper: z.number().min(0).max(2).nullable().default(null)
    .describe(
      "Residual scale of the gripper dimension; null: xi. Above 1 it can turn a saturated command; not in Table 5",
    ),
  xiSchedule: z.strictObject({
    from: z.number().min(0).max(2).default(0.1).describe(
      "Residual scale at the first online step, at most xi",
    ),
    steps: z.int().min(0).default(25_000).describe(
      "Online environment steps until xi is reached; 0: at once",
    ),
  }).prefault({}).describe("Linear growth of the residual scale; the paper names a scheduler, not its shape"),
  initialTemperature: z.number().positive().default(1).describe("alpha at the start"),
  temperatureLearningRate: z.number().positive().default(3e-4).describe("Plain gradient step of log alpha"),
  targetEntropy: z.number().default(-7).describe(
    "Entropy of z that the temperature holds; -dim of the action",
  ),
  critics: z.int().min(1).default(2).describe("Ensemble of critics"),
  layers: z.int().min(1).default(3).describe(
    "Hidden layers of actor and critics, tanh",
  ),
  width: z.int().min(1).default(256).describe("Units of a hidden layer"),
  layerNorm: z.boolean().default(true).describe("Layer normalisation in actor and critics"),
  dropout: z.literal(0).default(0).describe("Dropout of the critics; Table 5 has none and none is built"),
  keepPretrainedActor: z.boolean().default(true)
    .describe(
      "Keeps the actor trained jointly by Cal-QL; false draws a new one, as Algorithm 1 reads literally",
    ),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** One minibatch: rows s, a_b, ā, r, d, s′, a_b′ and the noise of K next actions. */
export interface Minibatch {
  /** s, [B, S]. */
  state: Tensor;
  /** a_b, [B, A]. */
  base: Tensor;
  /** ā, [B, A]: executed. */
  action: Tensor;
  /** r, [B]: scaled and biased. */
  reward: Tensor;
  /** d, [B]: 1 only on success; a truncated step bootstraps. */
  terminated: Tensor;
  /** s′, [B, S]. */
  nextState: Tensor;
  /** a_b′, [B, A]. */
  nextBase: Tensor;
  /** Noise of the next actions, [K, B, A]. */
  nextNoise: Tensor;
}

/** What the update reports for each actor step; critic values are of the last critic step. */
export type Metric =
  | "critic/loss"
  | "critic/q"
  | "critic/target"
  | "critic/gradientNorm"
  | "actor/loss"
  | "actor/entropy"
  | "actor/residual"
  | "actor/gradientNorm"
  | "temperature/alpha";

/** Q_i(s, a) of the ensemble `name`: [B, S], [B, A] → [E, B]. */
export function q(critics: Weights, name: "critic" | "target", state: Tensor, action: Tensor): Tensor {
  return squeeze(tanhMlp(critics, name, concat([state, action], 1)), [2]);
}

/** Eq. 2: y = r + γ (1 - d) max_k min_i Q̄_i(s′, ā′_k), k = 1 … K: [B]. No entropy in the backup. */
export function target(weights: Weights, b: Minibatch, xi: Tensor, gamma: number): Tensor {
  const [samples, rows, width] = b.nextNoise.shape as [number, number, number];
  const nextState = tile(b.nextState, [samples, 1]);
  const noise = reshape(b.nextNoise, [samples * rows, width]);
  const { action } = act(weights, nextState, tile(b.nextBase, [samples, 1]), noise, xi);
  const least = min(q(weights, "target", nextState, action), 0); // [E, K B] → [K B]
  const best = max(reshape(least, [samples, rows]), 0); // → [B]
  return stopGradient(add(b.reward, mul(mul(gamma, sub(1, b.terminated)), best)));
}

/** L_Q = mean_i E (Q_i(s, ā) - y)². */
export function criticLoss(critic: Weights, b: Pick<Minibatch, "state" | "action">, y: Tensor) {
  const values = q(critic, "critic", b.state, b.action);
  const loss: Scalar = mean(squaredDifference(values, y));
  return { loss, metrics: { "critic/loss": loss, "critic/q": mean(values), "critic/target": mean(y) } };
}

/** L_π = E[α log π(z | s, a_b) - mean_i Q_i(s, ā)], and H = -E log π. */
export function actorLoss(
  actor: Weights,
  critic: Weights,
  alpha: Tensor,
  b: { state: Tensor; base: Tensor; noise: Tensor; xi: Tensor },
) {
  const { action, z, logDensity } = act(actor, b.state, b.base, b.noise, b.xi);
  const loss: Scalar = mean(sub(mul(alpha, logDensity), mean(q(critic, "critic", b.state, action), 0)));
  const entropy = neg(mean(logDensity));
  const residual = mean(abs(mul(b.xi, z)));
  return { loss, metrics: { "actor/loss": loss, "actor/entropy": entropy, "actor/residual": residual } };
}

/** L_α = α (H - H̄). */
export function temperatureLoss(logAlpha: Tensor, entropy: Tensor, targetEntropy: number): Scalar {
  return mul(exp(logAlpha), sub(stopGradient(entropy), targetEntropy));
}

/** One critic step and its Polyak step. Returns the changed entries of `state` and the metrics. */
export function criticStep(
  state: Weights,
  loss: (critic: Weights) => { loss: Scalar; metrics: Weights },
  h: Hyperparameters,
): { state: Weights; metrics: Weights } {
  const { gradients, metrics } = valueAndGradients(loss, part(state, "critic"));
  const clipped = clipByGlobalNorm(gradients, h.clipNorm);
  const stepped = { ...state, ...adamW(state, "critic", clipped.gradients, h) };
  return {
    state: { ...stepped, ...polyak(stepped, "critic", "target", h.tau) },
    metrics: { ...metrics, "critic/gradientNorm": clipped.norm },
  };
}

/** One actor step and one temperature step at the same samples. */
export function actorStep(
  state: Weights,
  b: Parameters<typeof actorLoss>[3],
  h: Hyperparameters,
): { state: Weights; metrics: Weights } {
  const alpha = exp(entry(state, "log_alpha"));
  const actor = valueAndGradients((w) => actorLoss(w, state, alpha, b), part(state, "actor"));
  const clipped = clipByGlobalNorm(actor.gradients, h.clipNorm);
  const temperature = valueAndGradients(
    (w) => ({
      loss: temperatureLoss(entry(w, "log_alpha"), actor.metrics["actor/entropy"], h.targetEntropy),
    }),
    { log_alpha: entry(state, "log_alpha") },
  );
  const slope = div(entry(temperature.gradients, "log_alpha"), alpha);
  return {
    state: {
      ...state,
      ...adamW(state, "actor", clipped.gradients, h),
      log_alpha: sub(entry(state, "log_alpha"), mul(h.temperatureLearningRate, slope)),
    },
    metrics: { ...actor.metrics, "actor/gradientNorm": clipped.norm, "temperature/alpha": alpha },
  };
}

/**
 * The inner loop of Algorithm 1 for `compileUpdate`: `criticUpdates` critic steps, each on its own minibatch and
 * followed by Polyak averaging, then an actor and a temperature step on the states of the last minibatch.
 * The shapes of `state` and `batch` are `updateShapes`.
 */
export function update(h: Hyperparameters) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const xi = entry(batch, "xi");
    const minibatches = minibatchesOf(batch);
    let metrics: Weights = {};
    for (const b of minibatches) {
      const y = target(state, b, xi, h.gamma);
      ({ state, metrics } = criticStep(state, (critic) => criticLoss(critic, b, y), h));
    }
    const { state: s, base } = minibatches.at(-1)!;
    const actor = actorStep(state, { state: s, base, noise: entry(batch, "noise"), xi }, h);
    return { state: actor.state, metrics: { ...metrics, ...actor.metrics } as Record<Metric, Tensor> };
  };
}

function minibatchesOf(batch: Weights): Minibatch[] {
  const columns = Object.entries(batch).filter(([name]) => name !== "xi" && name !== "noise")
    .map(([name, x]) => [name, unstack(x)] as const);
  return Array.from(
    { length: columns[0]![1].length },
    (_, i) => Object.fromEntries(columns.map(([name, rows]) => [name, rows[i]!])) as unknown as Minibatch,
  );
}

/** Shapes of one scan iteration of `update`, for `compileUpdate`: batches are [U, B, …], U critic updates. */
export function updateShapes(sizes: Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const rows = [h.criticUpdates, h.batch];
  const batch = {
    state: [...rows, sizes.state],
    base: [...rows, sizes.action],
    action: [...rows, sizes.action],
    reward: rows,
    terminated: rows,
    nextState: [...rows, sizes.state],
    nextBase: [...rows, sizes.action],
    nextNoise: [h.criticUpdates, h.nextActions, h.batch, sizes.action],
    noise: [h.batch, sizes.action],
    xi: [sizes.action],
  };
  return { state: shapesOf(initialize(new Stream([0, 0]), sizes, h)), batch };
}

/** A complete learner state: actor, critics, targets equal to the critics, zero moments, log alpha. */
export function initialize(stream: Stream, sizes: Sizes, h: Hyperparameters): Tensors {
  const input = sizes.state + sizes.action;
  const hidden = Array<number>(h.layers).fill(h.width);
  const critic = initializeMlp(stream, "critic", { input, hidden, output: 1 }, {
    layerNorm: h.layerNorm,
    ensemble: h.critics,
  });
  return {
    ...critic,
    ...moved(copied(critic), "critic", "target"),
    ...initializeAdamW(critic, "critic"),
    ...freshActor(stream, sizes, h),
  };
}

/**
 * `state` with a fresh actor, fresh actor moments and the initial temperature in place of what Cal-QL left: a jointly
 * pretrained actor may undo the base from its first step.
 */
export function resetActor(stream: Stream, state: Tensors, sizes: Sizes, h: Hyperparameters): Tensors {
  return { ...state, ...freshActor(stream, sizes, h) };
}

function freshActor(stream: Stream, sizes: Sizes, h: Hyperparameters): Tensors {
  const actor = initializeActor(stream, sizes, h);
  return { ...actor, ...initializeAdamW(actor, "actor"), log_alpha: scalar(Math.log(h.initialTemperature)) };
}
