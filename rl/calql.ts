/**
 * Cal-QL for the critic of PLD: Nakamoto et al. 2023, arXiv:2303.05479, with the details of the authors' code
 * (conservative_sac.py). A conservative critic from offline episodes whose values stay on the scale of real returns.
 *
 * Transferred to a residual on a base policy, and what PLD leaves open:
 * 1. Densities live on the space of executed actions: random ones are U[-1, 1]^A with density 0.5^A, those of the policy
 *    are a_b + ξ z with log π(z | s, a_b) - Σ log ξ. What clipping to [-1, 1] does to that density is left out.
 * 2. Steps, weight and number of samples are ours (the paper gives none): `hyperparameters`.
 * 3. The actor is trained jointly, by PLD's own actor and temperature losses, so that the policy samples follow the
 *    critic; whether it is kept is PLD's `keepPretrainedActor`.
 */
import {
  add,
  concat,
  log,
  logSumExp,
  maximum,
  mean,
  mul,
  reshape,
  type Scalar,
  slice,
  squaredDifference,
  sub,
  sum,
  type Tensor,
  tile,
} from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Weights } from "../engine/differentiate.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import { entry } from "../nn/weights.ts";
import { act, type Sizes } from "./residual.ts";
import * as pld from "./pld.ts";

/** Pretraining of the critic. The defaults are ours, found on the tabletop; the authors' own are in the descriptions. */
export const hyperparameters = z.strictObject({
  steps: z.int().min(0).default(1000).describe("Critic and actor steps (Cal-QL: 20,000 to 1,000,000)"),
  weight: z.number().min(0).default(1).describe("Weight of the regulariser (Cal-QL: 1 Adroit, 5 Antmaze)"),
  samples: z.int().min(1).default(4).describe("Actions N of each of the three kinds (Cal-QL: 10)"),
  targetSamples: z.int().min(1).default(4).describe("Next actions in the max of the target (Cal-QL: N)"),
  temperature: z.number().positive().default(1).describe("Temperature T of the soft maximum"),
});
/** Parsed hyperparameters. */
export type Hyperparameters = z.output<typeof hyperparameters>;

/** One minibatch: PLD's, with returns and the actions' randomness. */
export interface Minibatch extends pld.Minibatch {
  /** G of the scaled and biased rewards, [B]; -Infinity gives CQL. */
  returnToGo: Tensor;
  /** Random actions, [N, B, A], uniform in [-1, 1]. */
  random: Tensor;
  /** Noise of the policy's samples at s, [N, B, A]. */
  currentNoise: Tensor;
  /** Noise of the policy's samples at s′, [N, B, A]. */
  followingNoise: Tensor;
  /** Residual scale of each action dimension, [A], > 0. */
  xi: Tensor;
}

/**
 * The regulariser for each critic, with 3 N actions, all valued at s:
 *
 *   R_i = E [ T log Σ exp( ( Q_i(s, a_rand) - A log 0.5,
 *                            max(Q_i(s, a_next), G) - log π(a_next | s′),
 *                            max(Q_i(s, a_cur), G) - log π(a_cur | s) ) / T ) - Q_i(s, ā) ].
 *
 * Where Q < G the max has no gradient: that is the calibration. `values` holds Q_i of the rows random, next, current
 * and data, [E, (3 N + 1) B] → [E].
 */
function conservatism(values: Tensor, b: Minibatch, logDensities: Tensor, h: Hyperparameters): Tensor {
  const [n, rows, width] = b.random.shape as [number, number, number];
  const critics = values.shape[0]!;
  const kinds = reshape(values, [critics, 3 * n + 1, rows]);
  const random = sub(slice(kinds, [0, 0, 0], [critics, n, rows]), width * Math.log(0.5));
  const policy = maximum(slice(kinds, [0, n, 0], [critics, 2 * n, rows]), b.returnToGo);
  const weighted = concat([random, sub(policy, logDensities)], 1); // [E, 3 N, B]
  const soft = mul(logSumExp(mul(weighted, 1 / h.temperature), 1), h.temperature); // → [E, B]
  const data = reshape(slice(kinds, [0, 3 * n, 0], [critics, 1, rows]), [critics, rows]);
  return mean(sub(soft, data), 1);
}

/** L = mean_i [ E (Q_i(s, ā) - y)² + w R_i ]. `policy` draws the samples and is not descended. */
export function criticLoss(
  critic: Weights,
  policy: Weights,
  b: Minibatch,
  y: Tensor,
  h: Hyperparameters,
): { loss: Scalar; metrics: Weights } {
  const [n, rows, width] = b.random.shape as [number, number, number];
  const flat = (x: Tensor) => reshape(x, [n * rows, width]);
  const sample = (state: Tensor, base: Tensor, noise: Tensor) => {
    const { action, logDensity } = act(policy, tile(state, [n, 1]), tile(base, [n, 1]), flat(noise), b.xi);
    const executed = sub(logDensity, sum(log(b.xi)));
    return { action: stopGradient(action), logDensity: stopGradient(reshape(executed, [n, rows])) };
  };
  const next = sample(b.nextState, b.nextBase, b.followingNoise);
  const current = sample(b.state, b.base, b.currentNoise);

  const actions = concat([flat(b.random), next.action, current.action, b.action], 0);
  const values = pld.q(critic, "critic", tile(b.state, [3 * n + 1, 1]), actions);
  const logDensities = concat([next.logDensity, current.logDensity], 0); // [2 N, B]
  const regulariser = mean(conservatism(values, b, logDensities, h));

  const critics = values.shape[0]!;
  const data = slice(values, [0, 3 * n * rows], [critics, rows]);
  const error: Scalar = mean(squaredDifference(data, y));
  const loss: Scalar = add(error, mul(h.weight, regulariser));
  const metrics = {
    "critic/loss": loss,
    "critic/error": error,
    "critic/conservatism": regulariser,
    "critic/q": mean(data),
    "critic/target": mean(y),
    "critic/returnToGo": mean(b.returnToGo),
  };
  return { loss, metrics };
}

/** What the update reports. */
export type Metric = pld.Metric | "critic/error" | "critic/conservatism" | "critic/returnToGo";

/**
 * One pretraining step for `compileUpdate`, on PLD's learner state so that it carries over: a critic step (the target
 * with its max over `targetSamples` next actions), Polyak averaging, an actor and a temperature step.
 */
export function update(learner: pld.Hyperparameters, h: Hyperparameters) {
  return (state: Weights, batch: Weights): { state: Weights; metrics: Record<Metric, Tensor> } => {
    const b = batch as unknown as Minibatch;
    const y = pld.target(state, b, b.xi, learner.gamma);
    const critic = pld.criticStep(state, (w) => criticLoss(w, state, b, y, h), learner);
    const noise = entry(batch, "noise");
    const actor = pld.actorStep(critic.state, { state: b.state, base: b.base, noise, xi: b.xi }, learner);
    return { state: actor.state, metrics: { ...critic.metrics, ...actor.metrics } as Record<Metric, Tensor> };
  };
}

/** Shapes of one step of `update`, for `compileUpdate`. */
export function updateShapes(
  sizes: Sizes,
  learner: pld.Hyperparameters,
  h: Hyperparameters,
): { state: Shapes; batch: Shapes } {
  const rows = [learner.batch];
  const actions = [...rows, sizes.action];
  const batch = {
    state: [...rows, sizes.state],
    base: actions,
    action: actions,
    reward: rows,
    terminated: rows,
    nextState: [...rows, sizes.state],
    nextBase: actions,
    returnToGo: rows,
    nextNoise: [h.targetSamples, ...actions],
    random: [h.samples, ...actions],
    currentNoise: [h.samples, ...actions],
    followingNoise: [h.samples, ...actions],
    noise: actions,
    xi: [sizes.action],
  };
  return { state: pld.updateShapes(sizes, learner).state, batch };
}
