/** What the stages that collect groups have in common: parameters, contexts of a round, and the two outputs. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Artifact, StageContext } from "../lab/stage.ts";
import { stream } from "../random.ts";
import { advantages, drawContexts, sampling } from "../rl/ript.ts";
import { runGroups } from "./group_batch.ts";
import { decodeGroups, encodeGroups } from "./groups_table.ts";
import type { Actor } from "./rollout.ts";
import { openWorld, world } from "./world.ts";

/** Episodes of the groups kept, with their advantages, and the ledger of all that were tried. */
export const outputs = { episodes: "episodes", groups: "metrics" } as const;

/** What these stages are told. */
export const parameters = z.strictObject({
  world,
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
  first: z.int().min(0).describe("first training initial state that is a context"),
  round: z.int().min(0).describe("round of the outer loop, from 0; names contexts' order and noise"),
  sampling,
});

/** Runs a round's groups with `actor` and writes the outputs. */
export async function collectGroups(
  context: StageContext<{ history: "metrics[]" }, typeof outputs, z.output<typeof parameters>>,
  actor: Actor,
): Promise<void> {
  const { tasks, lanes, first, round, sampling } = context.parameters;
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const all = tasks.flatMap((task) =>
    Array.from({ length: sampling.contexts }, (_, i) => ({ task, index: first + i }))
  );
  const earlier = await Promise.all(context.input.history.map(read));
  const drawn = drawContexts(stream(context.seed, "contexts", round), all, {
    earlier,
    skips: sampling.skips,
  });
  const tried = await runGroups(context, {
    pool,
    size: lanes,
    actor,
    observations: true,
    sampling,
    contexts: drawn.slice(0, sampling.attempts),
    plan: ({ task, index }, k) => ({
      task: world.task(task),
      state: { split: "training", index },
      noise: round * sampling.rollouts + k,
    }),
  });
  const kept = tried.filter((group) => group.kept);
  const successes = tried.reduce((sum, group) => sum + group.successes, 0);
  context.log(
    `${kept.length} of ${tried.length} groups of ${sampling.rollouts} kept; ` +
      `${successes} of ${tried.length * sampling.rollouts} rollouts succeeded`,
  );
  await context.output.episodes.write(encodeEpisodes(kept.flatMap(({ episodes }, group) => {
    const worth = advantages(episodes.map(({ success }) => Number(success)));
    return episodes.map((episode, k) => ({
      ...episode,
      tags: { ...episode.tags, group, advantage: worth[k]! },
    }));
  })));
  await context.output.groups.write(encodeGroups(tried));
}

async function read({ path }: Artifact) {
  return decodeGroups(await Deno.readFile(path));
}
