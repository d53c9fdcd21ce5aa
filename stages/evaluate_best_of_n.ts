/** Success of the best of N on held-out initial states, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import { acting, inputs, openBestOfN } from "./best_of_n_policy.ts";
import { runEpisodes } from "./episode_batch.ts";
import { evaluationPlans, evaluationTable, protocol } from "./evaluation_table.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs };
/** The success table, and the episodes without observations. */
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({ ...protocol, ...acting });

/** Runs the best of N from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, seed, parameters: { tasks, execute, lanes, candidates, scoring } } = context;
  await using best = await openBestOfN(input, { tasks, execute, lanes, candidates, scoring, seed });
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const plans = evaluationPlans(world, context.parameters);
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: best.actor,
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.evaluation.write(evaluationTable(tried));
  await context.output.episodes.write(encodeEpisodes(tried));
}
