/** Rolls a policy out on training states and keeps all episodes, successes and failures: what a critic learns from. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import { openBase } from "./chunked_base.ts";
import { runEpisodes } from "./episode_batch.ts";
import { openWorld, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units. */
export const inputs = { weights: "weights", normalization: "normalization" } as const;
/** The policy's episodes, in the order of their initial states. */
export const outputs = { episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world: settings,
  task: z.string().describe("the task to act in"),
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  episodes: z.int().min(1).max(100_000).describe("episodes, each from its own initial state"),
  first: z.int().min(0).describe("first training initial state used"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
});

/** Runs every episode. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { task: name, tasks, execute, episodes, first, lanes } = context.parameters;
  const world = await openWorld(context.parameters.world);
  const task = world.task(name);
  await using base = await openBase({ ...context, ...context.input, lanes, execute, tasks });
  await using pool = await world.pool({ lanes, workers: context.workers });
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: base,
    observations: true,
    wanted: episodes,
    keep: () => true,
    plan: (i) =>
      i < episodes ? { task, state: { split: "training", index: first + i }, noise: 0 } : undefined,
  });
  context.log(`${tried.filter(({ success }) => success).length} of ${tried.length} episodes succeeded`);
  await context.output.episodes.write(encodeEpisodes(tried));
}
