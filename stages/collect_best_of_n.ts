/** Rolls the best of N out on training states and keeps all episodes, successes and failures: a further round's data. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import { acting, inputs, openBestOfN } from "./best_of_n_policy.ts";
import { runEpisodes } from "./episode_batch.ts";
import { openWorld, world } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs };
/** The episodes, in the order of their initial states. */
export const outputs = { episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world,
  ...acting,
  task: z.string().describe("the task to act in"),
  episodes: z.int().min(1).max(100_000).describe("episodes, each from its own initial state"),
  first: z.int().min(0).describe("first training initial state used"),
});

/** Runs every episode. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, seed, parameters: { task: name, episodes, first, lanes, ...how } } = context;
  await using best = await openBestOfN(input, { ...how, lanes, seed });
  const simulated = await openWorld(how.world), task = simulated.task(name);
  await using pool = await simulated.pool({ lanes, workers: context.workers });
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: best.actor,
    observations: true,
    wanted: episodes,
    keep: () => true,
    plan: (i) =>
      i < episodes ? { task, state: { split: "training", index: first + i }, noise: 0 } : undefined,
  });
  context.log(`${tried.filter(({ success }) => success).length} of ${tried.length} episodes succeeded`);
  await context.output.episodes.write(encodeEpisodes(tried));
}
