/** Evaluates a base under a steering; shared by the learned ones and by the measurements without a learner. */
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Artifact, StageContext } from "../lab/stage.ts";
import { FlowPolicy } from "../policies/policy.ts";
import type { SteeringNoise } from "../rl/steering_noise.ts";
import { readPolicy } from "./chunked_base.ts";
import { type EpisodeContext, runEpisodes } from "./episode_batch.ts";
import { evaluationPlans, evaluationTable } from "./evaluation_table.ts";
import { ACTING_THREADS } from "./rollout.ts";
import { SteeredBase, type Steering } from "./steered_base.ts";
import { openWorld, type WorldSettings } from "./world.ts";

/** The success table, and the episodes without observations. */
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

/** What evaluating a steered base needs of a stage's context. */
export interface SteeredContext extends EpisodeContext {
  readonly input: { readonly weights: Artifact; readonly normalization: Artifact };
  readonly output: StageContext<Record<string, never>, typeof outputs, unknown>["output"];
  readonly parameters: {
    readonly world: WorldSettings;
    readonly tasks: readonly string[];
    readonly states: number;
    readonly noises: number;
    readonly lanes: number;
    readonly execute: number;
    readonly noise: SteeringNoise;
  };
  readonly seed: number;
  readonly workers: number;
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
    const world = await openWorld(settings);
    await using pool = await world.pool({ lanes, workers: context.workers });
    const plans = evaluationPlans(world, context.parameters);
    const { tried } = await runEpisodes(context, {
      pool,
      size: lanes,
      actor: new SteeredBase(policy, { noise, seed, tasks, steering }),
      observations: false,
      wanted: plans.length,
      keep: () => true,
      plan: (i) => plans[i],
    });
    await context.output.evaluation.write(evaluationTable(tried));
    await context.output.episodes.write(encodeEpisodes(tried));
  } finally {
    await steering[Symbol.asyncDispose]?.();
  }
}
