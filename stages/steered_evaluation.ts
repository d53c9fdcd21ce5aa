/** Evaluates a base under a steering; shared by the learned ones and by the measurements without a learner. */
import { z } from "zod";
import type { Artifact } from "../lab/stage.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { type SteeringNoise, steeringNoise } from "../rl/steering_noise.ts";
import { readPolicy } from "./chunked_base.ts";
import { evaluateActor, type EvaluationContext } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { ACTING_THREADS } from "./rollout.ts";
import { SteeredBase, type Steering } from "./steered_base.ts";
import { openWorld, type WorldSettings } from "./world.ts";

/** What the stages that evaluate a steered base are told. */
export const steered = {
  ...protocol,
  execute: z.int().min(1).max(64).describe("actions executed between two queries of the base"),
  noise: steeringNoise.describe("shape of w"),
} as const;

/** How a learned steering acts. */
export const sampled = z.boolean()
  .describe("samples w, as the public code evaluates; otherwise w = m tanh mu");

/** What evaluating a steered base needs of a stage's context. */
export interface SteeredContext extends EvaluationContext {
  readonly input: { readonly weights: Artifact; readonly normalization: Artifact };
  readonly parameters: EvaluationContext["parameters"] & {
    readonly world: WorldSettings;
    readonly execute: number;
    readonly noise: SteeringNoise;
  };
  readonly seed: number;
}

/** Runs the base from every held-out state under the steering that `open` gives for its horizon, and writes both outputs. */
export async function evaluateSteered(
  context: SteeredContext,
  open: (horizon: number) => Promise<Steering & Partial<AsyncDisposable>>,
): Promise<void> {
  const { parameters: { tasks, lanes, execute, noise, world: settings }, input, seed } = context;
  const stored = await readPolicy(input.weights, input.normalization);
  await using policy = await FlowPolicy.open(stored.weights, stored.normalization, {
    batch: lanes,
    execute,
    threads: ACTING_THREADS,
  });
  const steering = await open(policy.horizon);
  try {
    const actor = new SteeredBase(policy, { noise, seed, tasks, steering });
    await evaluateActor(context, actor, await openWorld(settings));
  } finally {
    await steering[Symbol.asyncDispose]?.();
  }
}
