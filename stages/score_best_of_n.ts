/** Success of the best of N on training states: a point of a learning curve. */
import { z } from "zod";
import { encodeTable } from "../data/table.ts";
import type { StageContext } from "../lab/stage.ts";
import { acting, inputs, openBestOfN } from "./best_of_n_policy.ts";
import { runEpisodes } from "./episode_batch.ts";
import { openWorld, world } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs };
/** One row: N, success rate, episodes. */
export const outputs = { score: "metrics" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world,
  ...acting,
  first: z.int().min(0).describe("first training initial state used"),
  states: z.int().min(1).max(10_000).describe("training initial states of each task"),
});

/** Runs every state once. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, seed, parameters: { first, states, lanes, ...how } } = context;
  await using best = await openBestOfN(input, { ...how, lanes, seed });
  const simulated = await openWorld(how.world);
  await using pool = await simulated.pool({ lanes, workers: context.workers });
  const plans = how.tasks.flatMap((name) =>
    Array.from({ length: states }, (_, i) => ({
      task: simulated.task(name),
      state: { split: "training", index: first + i } as const,
      noise: 0,
    }))
  );
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: best.actor,
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.score.write(encodeTable({
    candidates: Float64Array.of(how.candidates),
    success: Float64Array.of(tried.filter(({ success }) => success).length / tried.length),
    episodes: Int32Array.of(tried.length),
  }));
}
