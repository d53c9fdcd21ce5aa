/** Success of a flow policy under guidance on held-out initial states: every task, every fixed state, several noises. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import { runEpisodes } from "./episode_batch.ts";
import { evaluationPlans, evaluationTable, protocol } from "./evaluation_table.ts";
import { openGuided } from "./guided_base.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units. */
export const inputs = { weights: "weights", normalization: "normalization" } as const;
/** The success table, and the episodes without observations. */
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  ...protocol,
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  guidance: z.number().min(0).describe("s: 0 is the unconditional branch, 1 the conditional one"),
});

/** Runs every planned episode. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes, guidance } = context.parameters;
  await using actor = await openGuided({
    ...context.input,
    guidance,
    lanes,
    execute,
    tasks,
    seed: context.seed,
  });
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const plans = evaluationPlans(world, context.parameters);
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor,
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.evaluation.write(evaluationTable(tried));
  await context.output.episodes.write(encodeEpisodes(tried));
}
