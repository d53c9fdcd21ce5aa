/** Success of a flow policy under one guidance on training states: what the guidance is chosen by. */
import { z } from "zod";
import { encodeTable } from "../data/table.ts";
import type { StageContext } from "../lab/stage.ts";
import { runEpisodes } from "./episode_batch.ts";
import { openGuided } from "./guided_base.ts";
import { openWorld, world } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units. */
export const inputs = { weights: "weights", normalization: "normalization" } as const;
/** One row: guidance, success rate, episodes. */
export const outputs = { score: "metrics" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world,
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
  first: z.int().min(0).describe("first training initial state used; the same for all guidances"),
  states: z.int().min(1).max(10_000).describe("training initial states of each task"),
  guidance: z.number().min(0).describe("s: 0 is the unconditional branch, 1 the conditional one"),
});

/** Runs every state once. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes, first, states, guidance } = context.parameters;
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
  const plans = tasks.flatMap((name) =>
    Array.from({ length: states }, (_, i) => ({
      task: world.task(name),
      state: { split: "training", index: first + i } as const,
      noise: 0,
    }))
  );
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor,
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.score.write(encodeTable({
    guidance: Float64Array.of(guidance),
    success: Float64Array.of(tried.filter(({ success }) => success).length / tried.length),
    episodes: Int32Array.of(tried.length),
  }));
}
