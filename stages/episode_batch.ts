/** Runs planned episodes to their end with progress, budget and checkpoints; what collecting stages share. */
import type { Episode } from "../data/episode.ts";
import { decodeEpisodes, encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import type { Plan } from "./recording.ts";
import { rollout, type RolloutOptions } from "./rollout.ts";

/** The parts of a stage's context that running episodes needs. */
export type EpisodeContext = Pick<
  StageContext<Record<string, never>, Record<string, never>, unknown>,
  "progress" | "checkpoint" | "spend" | "interrupted" | "interruption"
>;

const NUMBER = "number";

/** Stored episodes with the number of their plan as a tag, so that a resumed stage knows what it has. */
export function pack(episodes: ReadonlyMap<number, Episode>): Uint8Array {
  return encodeEpisodes(
    [...episodes].sort(([a], [b]) => a - b)
      .map(([number, episode]) => ({ ...episode, tags: { ...episode.tags, [NUMBER]: number } })),
  );
}

/** What `pack` wrote, by number; nothing for no bytes. */
export function unpack(bytes: Uint8Array | undefined): Map<number, Episode> {
  const episodes = new Map<number, Episode>();
  for (const episode of bytes ? decodeEpisodes(bytes) : []) {
    const { [NUMBER]: number, ...tags } = episode.tags;
    episodes.set(number!, { ...episode, tags });
  }
  return episodes;
}

/** Episodes tried, in the order of their plans, up to the last one that was needed. */
export interface Batch {
  /** All episodes up to the last one needed, kept or not. */
  readonly tried: readonly Episode[];
  /** Those that satisfied the condition. */
  readonly kept: readonly Episode[];
}

/**
 * Runs plans 0, 1, 2 ... until `wanted` of the episodes in front satisfy `keep`. Which episodes are kept depends on
 * the order of the plans alone, not on which lane was free first. Finished episodes are checkpointed; an interrupted
 * stage runs only the missing ones again.
 *
 * @throws {Error} when `plan` ends before `wanted` episodes were kept
 */
export async function runEpisodes(
  context: EpisodeContext,
  { wanted, keep, plan, ...options }: Omit<RolloutOptions, "plan"> & {
    readonly wanted: number;
    readonly keep: (episode: Episode) => boolean;
    readonly plan: (i: number) => Plan | undefined;
  },
): Promise<Batch> {
  const finished = unpack(await context.checkpoint.read());
  const queue: number[] = [];
  let planned = 0;
  const numbered = (i: number): Plan | undefined => {
    while (finished.has(planned)) planned++;
    const chosen = plan(planned);
    if (chosen) queue[i] = planned++;
    return chosen;
  };

  const enough = (): Batch | undefined => {
    const tried: Episode[] = [], kept: Episode[] = [];
    for (let i = 0; kept.length < wanted; i++) {
      const episode = finished.get(i);
      if (!episode) return plan(i) === undefined ? { tried, kept } : undefined;
      tried.push(episode);
      if (keep(episode)) kept.push(episode);
    }
    return { tried, kept };
  };

  let batch = enough();
  if (!batch) {
    for await (const { number, episode } of rollout({ ...options, plan: numbered })) {
      finished.set(queue[number]!, episode);
      const all = [...finished.values()];
      context.progress({
        done: Math.min(wanted, all.filter(keep).length),
        total: wanted,
        unit: "episodes",
        success: all.filter((e) => e.success).length / all.length,
      });
      batch = enough();
      if (batch) break;
      if (context.interrupted()) {
        await context.checkpoint.write(pack(finished));
        throw context.interruption();
      }
      if (context.checkpoint.due()) await context.checkpoint.write(pack(finished));
    }
  }
  batch ??= enough() ?? { tried: [], kept: [] };
  if (batch.kept.length < wanted) {
    throw new Error(
      `Cannot keep ${wanted} episodes: ${batch.kept.length} of the ${batch.tried.length} tried were of the wanted ` +
        "kind; allow more attempts or improve the policy that acts",
    );
  }
  context.spend({ environmentSteps: batch.tried.reduce((sum, episode) => sum + episode.length, 0) });
  return batch;
}
