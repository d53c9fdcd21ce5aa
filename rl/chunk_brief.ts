/**
 * Chunk-level offline RL as a public framework's description has it, whose losses are here to the letter, for a Gaussian
 * policy on chunks A of H actions:
 *
 *   r = 1[a step of the chunk reaches the goal],   y = r + γ^H V(x′)
 *   L_Q = E (Q(x, A) - y)²
 *   L_V = E (V(x) - (Q(x, A′) - log π(A′ | x)))²,   A′ ~ π(· | x), one draw
 *   L_π = -E[w log π(A | x)],   w = exp(β (Q(x, A) - V(x)))
 *   L   = L_Q + λ_V L_V + λ_π L_π
 *
 * One critic, no averaged targets, no end of the episode in y. `iql.ts` and `weighted_flow.ts` are what to use instead;
 * docs/chunk-rl.md says why. Targets and w pass no gradient, which the description leaves open.
 *
 * Departures: w can be cut (exp overflows float32 without), and log σ is held in [-5, 2].
 */
import {
  add,
  clipByValue,
  concat,
  exp,
  mean,
  minimum,
  mul,
  neg,
  type Scalar,
  split,
  square,
  squaredDifference,
  squeeze,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, reluMlp } from "../nn/mlp.ts";
import { initializeAdamW } from "../nn/optimizer.ts";
import { shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";
import { descend } from "./chunk_q.ts";

/** The description's values; depth is not given there. */
export const hyperparameters = z.strictObject({
  horizon: z.int().min(1).max(64).default(10).describe("H, control steps of a chunk"),
  gamma: z.number().min(0).max(1).default(0.99).describe("Discount per control step: gamma^H per chunk"),
  beta: z.number().min(0).default(1).describe("Of the weights exp(beta (Q - V)); 0 is plain likelihood"),
  cap: z.number().positive().nullable().default(null).describe("Largest weight; null: none"),
  lambdaV: z.number().positive().default(1).describe("Weight of L_V"),
  lambdaPi: z.number().positive().default(1).describe("Weight of L_pi"),
  learningRate: z.number().positive().default(3e-4).describe("Adam step size"),
  batch: z.int().min(1).default(32).describe("Chunk transitions per minibatch"),
  epochs: z.int().min(1).default(100).describe("Passes over the data"),
  layers: z.int().min(1).default(2).describe("Hidden layers of each network, relu"),
  width: z.int().min(1).default(512).describe("Units of a hidden layer"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** Widths: F features, C = H · A numbers of a chunk. */
export interface Sizes {
  /** F. */
  readonly features: number;
  /** C. */
  readonly chunk: number;
}

/** One minibatch; all normalised. */
export interface Minibatch {
  /** x, [B, F]. */
  features: Tensor;
  /** A, [B, C]. */
  chunk: Tensor;
  /** r, [B]: 1 where the goal is reached within the chunk. */
  reward: Tensor;
  /** x′ after the chunk, [B, F]. */
  nextFeatures: Tensor;
  /** ε ~ N(0, I), [B, C]: draws A′. */
  noise: Tensor;
}

/** Bounds of log σ; outside, it passes no gradient. */
export const LOG_DEVIATION = { min: -5, max: 2 } as const;

/** μ and log σ of π(· | x), [B, C] each. */
export function head(weights: Weights, features: Tensor): { mean: Tensor; logDeviation: Tensor } {
  const [mu, logSigma] = split(reluMlp(weights, "brief/policy", features), 2, 1);
  return { mean: mu!, logDeviation: clipByValue(logSigma!, LOG_DEVIATION.min, LOG_DEVIATION.max) };
}

/** log π(A | x) [B], a sum over the C numbers of the chunk. */
export function logDensity({ mean, logDeviation }: ReturnType<typeof head>, chunk: Tensor): Tensor {
  const standard = mul(sub(chunk, mean), exp(neg(logDeviation)));
  return sum(
    sub(mul(-0.5, square(standard)), add(logDeviation, 0.5 * Math.log(2 * Math.PI))),
    1,
  );
}

/** Q(x, A): [B]. */
export function q(weights: Weights, features: Tensor, chunk: Tensor): Tensor {
  return squeeze(reluMlp(weights, "brief/q", concat([features, chunk], 1)), [1]);
}

/** V(x): [B]. */
export function v(weights: Weights, features: Tensor): Tensor {
  return squeeze(reluMlp(weights, "brief/v", features), [1]);
}

/** L_Q. */
export function criticLoss(weights: Weights, b: Minibatch, h: Hyperparameters): Scalar {
  const y = stopGradient(add(b.reward, mul(h.gamma ** h.horizon, v(weights, b.nextFeatures))));
  return mean(squaredDifference(q(weights, b.features, b.chunk), y));
}

/** L_V, with one draw of A′. */
export function valueLoss(weights: Weights, b: Minibatch): Scalar {
  const policy = head(weights, b.features);
  const drawn = add(policy.mean, mul(exp(policy.logDeviation), b.noise));
  const soft = stopGradient(sub(q(weights, b.features, drawn), logDensity(policy, drawn)));
  return mean(squaredDifference(v(weights, b.features), soft));
}

/** L_π, and the mean weight. */
export function policyLoss(weights: Weights, b: Minibatch, h: Hyperparameters) {
  const advantage = sub(q(weights, b.features, b.chunk), v(weights, b.features));
  const w = exp(mul(h.beta, advantage));
  const weight = stopGradient(h.cap === null ? w : minimum(w, h.cap));
  const density = logDensity(head(weights, b.features), b.chunk);
  const loss: Scalar = neg(mean(mul(weight, density)));
  return {
    loss,
    metrics: {
      "policy/weight": mean(weight),
      "policy/logDensity": mean(density),
      advantage: mean(advantage),
    },
  };
}

/** L, and its parts. */
export function loss(weights: Weights, b: Minibatch, h: Hyperparameters) {
  const critic = criticLoss(weights, b, h), value = valueLoss(weights, b);
  const policy = policyLoss(weights, b, h);
  const total: Scalar = add(critic, add(mul(h.lambdaV, value), mul(h.lambdaPi, policy.loss)));
  return {
    loss: total,
    metrics: { "critic/loss": critic, "value/loss": value, "policy/loss": policy.loss, ...policy.metrics },
  };
}

/** One Adam step of all three networks, for `compileUpdate` with `updateShapes`. */
export function update(h: Hyperparameters) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Weights } =>
    descend(state, "brief", (weights) => {
      const found = loss(weights, batch as unknown as Minibatch, h);
      return { loss: found.loss, metrics: { ...found.metrics, loss: found.loss } };
    }, { learningRate: h.learningRate, weightDecay: 0, clipNorm: null });
}

/** Shapes of one step of `update`. */
export function updateShapes(sizes: Sizes, h: Hyperparameters): { state: Shapes; batch: Shapes } {
  const features = [h.batch, sizes.features], chunk = [h.batch, sizes.chunk];
  return {
    state: shapesOf(initialize(new Stream([0, 0]), sizes, h)),
    batch: { features, chunk, reward: [h.batch], nextFeatures: features, noise: chunk },
  };
}

/** A learner state; the policy starts as N(0, I), in normalised units. */
export function initialize(stream: Stream, { features, chunk }: Sizes, h: Hyperparameters): Tensors {
  const hidden = Array<number>(h.layers).fill(h.width), form = { layerNorm: false };
  const weights = {
    ...initializeMlp(stream, "brief/q", { input: features + chunk, hidden, output: 1 }, form),
    ...initializeMlp(stream, "brief/v", { input: features, hidden, output: 1 }, form),
    ...initializeMlp(stream, "brief/policy", { input: features, hidden, output: 2 * chunk }, {
      ...form,
      outputScale: 0,
    }),
  };
  return { ...weights, ...initializeAdamW(weights, "brief") };
}
