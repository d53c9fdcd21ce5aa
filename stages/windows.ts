/** Training windows of a chunk policy: what was seen at a step, and the actions from there on. */
import type { Episode } from "../data/episode.ts";
import { type NDArray, ndarray } from "../ndarray.ts";
import { features } from "../policies/features.ts";
import { observationAt, subjectOf } from "./recording.ts";

const ACTION = 7;

/** All windows of a set of episodes, one for each control step. */
export interface Windows {
  /** Unnormalised features, [N, F]. */
  readonly features: NDArray;
  /** Actions from that step on, [N, horizon, 7]. */
  readonly chunks: NDArray;
}

/**
 * Every control step of every episode starts one window. Past the end of an episode the chunk holds the no-op: no
 * motion, and the last gripper command, so that a released bowl stays released.
 *
 * @param options.order task names in the order of the policy's one-hot input
 * @throws {Error} when an episode's task is not among `order`, it has no actions, or there is no step at all
 */
export function windows(
  episodes: readonly Episode[],
  { order, horizon }: { readonly order: readonly string[]; readonly horizon: number },
): Windows {
  const count = episodes.reduce((sum, episode) => sum + episode.length, 0);
  if (count === 0) throw new Error("Cannot cut windows from no steps: give at least one episode");
  let observed: NDArray | undefined;
  const chunks = ndarray([count, horizon, ACTION]);
  let row = 0;
  for (const episode of episodes) {
    const task = subjectOf(episode);
    const actions = episode.columns.action;
    if (!actions) {
      throw new Error(`Cannot cut windows from an episode of "${episode.task}": it has no actions`);
    }
    const lastGripper = actions.data[episode.length * ACTION - 1]!;
    for (let t = 0; t < episode.length; t++, row++) {
      const seen = features(observationAt(episode, t), task, order);
      observed ??= ndarray([count, seen.length]);
      observed.data.set(seen, row * seen.length);
      const real = Math.min(horizon, episode.length - t) * ACTION;
      const chunk = chunks.data.subarray(row * horizon * ACTION, (row + 1) * horizon * ACTION);
      chunk.set(actions.data.subarray(t * ACTION, t * ACTION + real));
      for (let i = real + ACTION - 1; i < chunk.length; i += ACTION) chunk[i] = lastGripper;
    }
  }
  return { features: observed!, chunks };
}
