/** Runs an actor from every held-out state and stores what happened; shared by the stages that evaluate. */
import type { Episode } from "../data/episode.ts";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Lanes } from "../envs/environment.ts";
import type { StageContext } from "../lab/stage.ts";
import { type EpisodeContext, runEpisodes } from "./episode_batch.ts";
import { evaluationPlans, evaluationTable } from "./evaluation_table.ts";
import type { Plan } from "./recording.ts";
import type { Actor } from "./rollout.ts";
import type { World } from "./world.ts";

/** The success table, and the episodes without observations. */
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

/** Where an evaluation goes. */
type Output = StageContext<Record<string, never>, typeof outputs, unknown>["output"];

/** What evaluating needs of a stage's context. */
export interface EvaluationContext extends EpisodeContext {
  readonly output: Output;
  readonly parameters: {
    readonly tasks: readonly string[];
    readonly states: number;
    readonly noises: number;
    readonly lanes: number;
  };
  readonly workers: number;
}

/** Runs the protocol's episodes in `world` and writes both outputs. The actor stays open. */
export async function evaluateActor(context: EvaluationContext, actor: Actor, world: World): Promise<void> {
  const { parameters, workers } = context, size = parameters.lanes;
  await using pool = await world.pool({ lanes: size, workers });
  const tried = await runPlans(context, { pool, size, actor, plans: evaluationPlans(world, parameters) });
  await writeEvaluation(context.output, tried);
}

/** Every planned episode, in the order of the plans, without observations. */
export async function runPlans(
  context: EpisodeContext,
  { plans, ...options }: {
    readonly pool: Lanes;
    readonly size: number;
    readonly actor: Actor;
    readonly plans: readonly Plan[];
  },
): Promise<readonly Episode[]> {
  const { tried } = await runEpisodes(context, {
    ...options,
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  return tried;
}

/** Writes both outputs of an evaluation. */
export async function writeEvaluation(output: Output, tried: readonly Episode[]): Promise<void> {
  await output.evaluation.write(evaluationTable(tried));
  await output.episodes.write(encodeEpisodes(tried));
}
