/**
 * Soft actor-critic from scratch (Haarnoja et al. 2018, arXiv:1812.05905), the control of PLD: the same networks, losses
 * and optimiser without a base policy. As in SERL, no entropy enters the backup, the target takes the minimum over
 * critics and the actor their mean; log α descends L_α / α by a plain gradient step.
 */
import {
  add,
  concat,
  div,
  exp,
  mean,
  min,
  mul,
  neg,
  type Scalar,
  split,
  squaredDifference,
  squeeze,
  sub,
  type Tensor,
  unstack,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import { scalar, type Tensors } from "../ndarray.ts";
import { initializeMlp, tanhMlp } from "../nn/mlp.ts";
import { adamW, clipByGlobalNorm, initializeAdamW, polyak } from "../nn/optimizer.ts";
import { tanhNormal } from "../nn/tanh_normal.ts";
import { copied, entry, moved, part, shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import type { Sizes } from "./residual.ts";

/** PLD's values wherever they have a meaning here. */
export const hyperparameters = z.strictObject({
  batch: z.int().min(1).default(256).describe("Transitions per minibatch"),
  buffer: z.int().min(1).default(250_000).describe("Capacity of the replay buffer, transitions"),
  gamma: z.number().min(0).max(1).default(0.99).describe("Discount per control step"),
  tau: z.number().min(0).max(1).default(0.005).describe("Polyak rate of the target critics"),
  learningRate: z.number().positive().default(3e-4).describe("AdamW step size of actor and critics"),
  weightDecay: z.number().min(0).default(1e-4).describe("AdamW decay"),
  clipNorm: z.number().positive().default(1).describe("Global gradient norm, per network"),
  rewardScale: z.number().positive().default(1).describe("Reward of a success before the bias"),
  rewardBias: z.number().default(0).describe("Added to every reward"),
  criticUpdates: z.int().min(1).default(2).describe("Critic steps per actor step"),
  initialTemperature: z.number().positive().default(1).describe("alpha at the start"),
  temperatureLearningRate: z.number().positive().default(3e-4).describe("Plain gradient step of log alpha"),
  targetEntropy: z.number().default(-7).describe("Entropy that the temperature holds"),
  critics: z.int().min(1).default(2).describe("Ensemble of critics"),
  layers: z.int().min(1).default(3).describe(
    "Hidden layers of actor and critics, each layer-normalised, tanh",
  ),
  width: z.int().min(1).default(256).describe("Units of a hidden layer"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/**
 * One minibatch: rows s, a, r, d, s′ and the noise of the next action.
 *
 * @internal
 */
interface Minibatch {
  state: Tensor; // [B, S]
  action: Tensor; // [B, A]
  reward: Tensor; // [B]
  terminated: Tensor; // [B]
  nextState: Tensor; // [B, S]
  nextNoise: Tensor; // [B, A]
}

/** Q_i(s, a): [B, S], [B, A] → [E, B]. */
function q(critics: Weights, name: "critic" | "target", state: Tensor, action: Tensor): Tensor {
  return squeeze(tanhMlp(critics, name, concat([state, action], 1)), [2]);
}

/** a = tanh u, u ~ N(μ, σ²)(s), [B, A], and log π(a | s) [B]. */
export function act(actor: Weights, state: Tensor, noise: Tensor): { action: Tensor; logDensity: Tensor } {
  const [mu, logSigma] = split(tanhMlp(actor, "actor", state), 2, 1);
  const { z, logDensity } = tanhNormal(mu!, logSigma!, noise);
  return { action: z, logDensity };
}

/** y = r + γ (1 - d) min_i Q̄_i(s′, a′): [B]. */
export function target(weights: Weights, b: Minibatch, gamma: number): Tensor {
  const { action } = act(weights, b.nextState, b.nextNoise);
  const least = min(q(weights, "target", b.nextState, action), 0); // [E, B] → [B]
  return stopGradient(add(b.reward, mul(mul(gamma, sub(1, b.terminated)), least)));
}

/** L_Q = mean_i E (Q_i(s, a) - y)². */
export function criticLoss(critic: Weights, b: Pick<Minibatch, "state" | "action">, y: Tensor) {
  const values = q(critic, "critic", b.state, b.action);
  const loss: Scalar = mean(squaredDifference(values, y));
  return { loss, metrics: { "critic/loss": loss, "critic/q": mean(values), "critic/target": mean(y) } };
}

/** L_π = E[α log π(a | s) - mean_i Q_i(s, a)], and H = -E log π. */
export function actorLoss(actor: Weights, critic: Weights, alpha: Tensor, state: Tensor, noise: Tensor) {
  const { action, logDensity } = act(actor, state, noise);
  const loss: Scalar = mean(sub(mul(alpha, logDensity), mean(q(critic, "critic", state, action), 0)));
  return { loss, metrics: { "actor/loss": loss, "actor/entropy": neg(mean(logDensity)) } };
}

/** L_α = α (H - H̄). */
export function temperatureLoss(logAlpha: Tensor, entropy: Tensor, targetEntropy: number): Scalar {
  return mul(exp(logAlpha), sub(stopGradient(entropy), targetEntropy));
}

/** `criticUpdates` critic steps with Polyak averaging, then an actor and a temperature step, for `compileUpdate`. */
export function update(h: Hyperparameters) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Weights } => {
    const { noise, ...columns } = batch;
    const rows = Object.entries(columns).map(([name, x]) => [name, unstack(x)] as const);
    let metrics: Weights = {};
    for (let i = 0; i < h.criticUpdates; i++) {
      const b = Object.fromEntries(rows.map(([name, x]) => [name, x[i]!])) as unknown as Minibatch;
      const y = target(state, b, h.gamma);
      const critic = valueAndGradients((w) => criticLoss(w, b, y), part(state, "critic"));
      const clipped = clipByGlobalNorm(critic.gradients, h.clipNorm);
      state = { ...state, ...adamW(state, "critic", clipped.gradients, h) };
      state = { ...state, ...polyak(state, "critic", "target", h.tau) };
      metrics = { ...critic.metrics, "critic/gradientNorm": clipped.norm };
      if (i < h.criticUpdates - 1) continue;

      const alpha = exp(entry(state, "log_alpha"));
      const actor = valueAndGradients(
        (w) => actorLoss(w, state, alpha, b.state, noise!),
        part(state, "actor"),
      );
      const actorClipped = clipByGlobalNorm(actor.gradients, h.clipNorm);
      const temperature = valueAndGradients(
        (w) => ({ loss: temperatureLoss(w["log_alpha"]!, actor.metrics["actor/entropy"], h.targetEntropy) }),
        { log_alpha: entry(state, "log_alpha") },
      );
      const slope = div(entry(temperature.gradients, "log_alpha"), alpha);
      state = {
        ...state,
        ...adamW(state, "actor", actorClipped.gradients, h),
        log_alpha: sub(entry(state, "log_alpha"), mul(h.temperatureLearningRate, slope)),
      };
      metrics = {
        ...metrics,
        ...actor.metrics,
        "actor/gradientNorm": actorClipped.norm,
        "temperature/alpha": alpha,
      };
    }
    return { state, metrics };
  };
}

/** Shapes of one scan iteration of `update`: batches are [U, B, …], U critic updates. */
export function updateShapes(sizes: Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const rows = [h.criticUpdates, h.batch];
  const batch = {
    state: [...rows, sizes.state],
    action: [...rows, sizes.action],
    reward: rows,
    terminated: rows,
    nextState: [...rows, sizes.state],
    nextNoise: [...rows, sizes.action],
    noise: [h.batch, sizes.action],
  };
  return { state: shapesOf(initialize(new Stream([0, 0]), sizes, h)), batch };
}

/** A complete learner state. */
export function initialize(stream: Stream, sizes: Sizes, h: Hyperparameters): Tensors {
  const hidden = Array<number>(h.layers).fill(h.width);
  const critic = initializeMlp(stream, "critic", { input: sizes.state + sizes.action, hidden, output: 1 }, {
    layerNorm: true,
    ensemble: h.critics,
  });
  const actor = initializeMlp(stream, "actor", { input: sizes.state, hidden, output: 2 * sizes.action }, {
    layerNorm: true,
    outputScale: 0.01,
  });
  return {
    ...critic,
    ...moved(copied(critic), "critic", "target"),
    ...initializeAdamW(critic, "critic"),
    ...actor,
    ...initializeAdamW(actor, "actor"),
    log_alpha: scalar(Math.log(h.initialTemperature)),
  };
}

/** The acting program: the actor's weights by name, "state" [B, S], "noise" [B, A] → "action" [B, A]. */
export function actorProgram(batch: number, sizes: Sizes, h: Hyperparameters): Program {
  const actor = part(shapesOf(initialize(new Stream([0, 0]), sizes, h)), "actor");
  return compile(({ state, noise, ...weights }) => ({ action: act(weights, state!, noise!).action }), {
    ...actor,
    state: [batch, sizes.state],
    noise: [batch, sizes.action],
  });
}
