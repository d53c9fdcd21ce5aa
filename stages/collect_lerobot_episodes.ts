/** Rolls a LeRobot policy out as the base of PLD: its successes are offline data. The twin of `collect_successes.ts`. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import * as collecting from "./collect_successes.ts";
import { runEpisodes } from "./episode_batch.ts";
import { lerobotInputs, openLerobotBase } from "./lerobot_actor.ts";
import { lerobotActor } from "./lerobot_settings.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy, its tokenizer and statistics. */
export const inputs = lerobotInputs;
/** The episodes that were kept, with the base's actions. */
export const outputs = collecting.outputs;

const { world: _, tasks: __, ...rest } = collecting.parameters.shape;

/** What the stage is told. */
export const parameters = z.strictObject({
  lerobot: lerobotActor,
  ...rest,
  keep: z.enum(["successes", "all"]).default("successes").describe("which episodes are kept"),
});

/** Runs the policy until enough of its episodes are kept. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, task: name, episodes, attempts, first, lanes, keep } = context.parameters;
  const world = await openWorld(lerobot.world);
  const task = world.task(name);
  await using base = await openLerobotBase(context, context.parameters);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const { kept, tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: base,
    observations: true,
    wanted: episodes,
    keep: ({ success }) => success || keep === "all",
    plan: (i) =>
      i < attempts ? { task, state: { split: "training", index: first + i }, noise: 0 } : undefined,
  });
  context.log(`${kept.length} kept of ${tried.length} episodes of "${name}"`);
  await context.output.episodes.write(encodeEpisodes(kept));
}
