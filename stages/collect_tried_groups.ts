/**
 * RIPT's groups under a budget of rollouts: a fixed number of contexts is tried, and those with successes and failures are
 * kept. `collect_groups.ts` goes on until enough are kept, whatever that costs; here what is spent is known beforehand.
 */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import { stream } from "../random.ts";
import { advantages, drawContexts, isMixed } from "../rl/ript.ts";
import * as collecting from "./collecting_groups.ts";
import { runGroups } from "./group_batch.ts";
import { decodeGroups, encodeGroups } from "./groups_table.ts";
import { openGuided, readGuidance } from "./guided_base.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units, the guidance chosen for it (or none), and the ledgers of earlier rounds. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  choice: "document[]",
  history: "metrics[]",
} as const;
/** Episodes of the groups kept, with their advantages, and the ledger of all that were tried. */
export const outputs = collecting.outputs;

/** What the stage is told. */
export const parameters = collecting.parameters.extend({
  sampling: collecting.parameters.shape.sampling.omit({ groups: true, dynamic: true }).extend({
    attempts: z.int().min(1).max(100_000).describe("contexts tried, all of them"),
  }),
  guidance: z.number().min(0).describe("guidance s of a policy with a condition, where none was chosen"),
});

/**
 * Runs all contexts and keeps the groups with contrast.
 *
 * @throws {Error} when no group has both outcomes
 */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes, first, round, sampling, guidance } = context.parameters;
  const { choice, history, ...policy } = context.input;
  const chosen = await readGuidance(choice, guidance);
  await using actor = await openGuided({
    ...policy,
    guidance: chosen,
    lanes,
    execute,
    tasks,
    seed: context.seed,
  });
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const all = tasks.flatMap((task) =>
    Array.from({ length: sampling.contexts }, (_, i) => ({ task, index: first + i }))
  );
  const earlier = await Promise.all(history.map(async ({ path }) => decodeGroups(await Deno.readFile(path))));
  const drawn = drawContexts(stream(context.seed, "contexts", round), all, {
    earlier,
    skips: sampling.skips,
  });
  const contexts = drawn.slice(0, sampling.attempts);
  const run = await runGroups(context, {
    pool,
    size: lanes,
    actor,
    observations: true,
    sampling: { groups: contexts.length, rollouts: sampling.rollouts, dynamic: false },
    contexts,
    plan: ({ task, index }, k) => ({
      task: world.task(task),
      state: { split: "training", index },
      noise: round * sampling.rollouts + k,
    }),
  });
  const tried = run.map((group) => ({ ...group, kept: isMixed(group) }));
  const kept = tried.filter((group) => group.kept);
  context.log(`${kept.length} of ${tried.length} groups of ${sampling.rollouts} have both outcomes`);
  if (kept.length === 0) {
    throw new Error(
      `Cannot learn from ${tried.length} groups of ${sampling.rollouts} rollouts: none has both outcomes; ` +
        "allow more contexts or more rollouts each",
    );
  }
  await context.output.episodes.write(encodeEpisodes(kept.flatMap(({ episodes }, group) => {
    const worth = advantages(episodes.map(({ success }) => Number(success)));
    return episodes.map((episode, k) => ({
      ...episode,
      tags: { ...episode.tags, group, advantage: worth[k]! },
    }));
  })));
  await context.output.groups.write(encodeGroups(tried));
}
