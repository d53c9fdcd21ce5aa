/** Runs groups of rollouts, K from each context, until enough of them are of use. */
import type { Episode } from "../data/episode.ts";
import { type Context, isMixed, type Sampling } from "../rl/ript.ts";
import { type EpisodeContext, pack, unpack } from "./episode_batch.ts";
import type { LedgerGroup } from "./groups_table.ts";
import type { Plan } from "./recording.ts";
import { rollout, type RolloutOptions } from "./rollout.ts";

/** A context's rollouts. */
export interface RolloutGroup extends LedgerGroup {
  /** K episodes, in the order of their noise. */
  readonly episodes: readonly Episode[];
}

/** How many of the contexts that starve a message names. */
const NAMED = 5;

/**
 * Runs the contexts in order, K rollouts each, until `groups` of them are kept: with dynamic sampling those with
 * successes and failures, without it all. Which are kept depends on the order of the contexts alone, not on which lane
 * was free first. Finished episodes are checkpointed; an interrupted stage runs only the missing ones again.
 *
 * @param plan the k-th rollout of a context
 * @throws {Error} when the contexts end before enough were kept; the message names some that starve
 */
export async function runGroups(
  context: EpisodeContext,
  { contexts, sampling: { groups, rollouts, dynamic }, plan, ...options }: Omit<RolloutOptions, "plan"> & {
    readonly contexts: readonly Context[];
    readonly sampling: Pick<Sampling, "groups" | "rollouts" | "dynamic">;
    readonly plan: (context: Context, k: number) => Plan;
  },
): Promise<RolloutGroup[]> {
  const finished = unpack(await context.checkpoint.read());
  const planOf = (i: number) => {
    const chosen = contexts[Math.floor(i / rollouts)];
    return chosen && plan(chosen, i % rollouts);
  };
  const queue: number[] = [];
  let planned = 0;
  const next = (i: number): Plan | undefined => {
    while (finished.has(planned)) planned++;
    const chosen = planOf(planned);
    if (chosen) queue[i] = planned++;
    return chosen;
  };

  /** All groups up to the last one needed or there; undefined while one of them still runs. */
  const enough = (): RolloutGroup[] | undefined => {
    const tried: RolloutGroup[] = [];
    for (let kept = 0; kept < groups && tried.length < contexts.length;) {
      const from = tried.length * rollouts;
      const episodes = Array.from({ length: rollouts }, (_, k) => finished.get(from + k));
      if (!episodes.every((episode) => episode !== undefined)) return undefined;
      const successes = episodes.filter(({ success }) => success).length;
      const use = !dynamic || isMixed({ rollouts, successes });
      tried.push({
        ...contexts[tried.length]!,
        rollouts,
        successes,
        kept: use,
        environmentSteps: episodes.reduce((sum, { length }) => sum + length, 0),
        episodes,
      });
      kept += Number(use);
    }
    return tried;
  };

  let tried = enough();
  if (!tried) {
    for await (const { number, episode } of rollout({ ...options, plan: next })) {
      finished.set(queue[number]!, episode);
      tried = enough();
      const all = [...finished.values()];
      context.progress({
        done: all.length,
        total: Math.max(all.length, groups * rollouts),
        unit: "rollouts",
        success: all.filter(({ success }) => success).length / all.length,
      });
      if (tried) break;
      if (context.interrupted()) {
        await context.checkpoint.write(pack(finished));
        throw context.interruption();
      }
      if (context.checkpoint.due()) await context.checkpoint.write(pack(finished));
    }
  }
  tried ??= enough() ?? [];
  const kept = tried.filter((group) => group.kept).length;
  if (kept < groups) throw starving(tried, { groups, rollouts, kept });
  context.spend({ environmentSteps: tried.reduce((sum, group) => sum + group.environmentSteps, 0) });
  return tried;
}

function starving(
  tried: readonly RolloutGroup[],
  { groups, rollouts, kept }: { groups: number; rollouts: number; kept: number },
): Error {
  const named = (wanted: readonly RolloutGroup[]) =>
    wanted.length === 0
      ? ""
      : ` (${wanted.slice(0, NAMED).map(({ task, index }) => `${task}/${index}`).join(", ")}${
        wanted.length > NAMED ? ", ..." : ""
      })`;
  const failed = tried.filter(({ successes }) => successes === 0);
  const solved = tried.filter(({ successes }) => successes === rollouts);
  return new Error(
    `Cannot keep ${groups} groups of ${rollouts} rollouts: ${kept} of the ${tried.length} contexts tried had both ` +
      `outcomes, ${failed.length} always failed${named(failed)}, ${solved.length} always succeeded${
        named(solved)
      }; ` +
      "allow more contexts or more rollouts each",
  );
}
