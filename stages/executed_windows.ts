/** Training windows of rollouts: what a policy executed, with the advantage of the episode it belongs to. */
import type { Episode } from "../data/episode.ts";
import { type NDArray, ndarray } from "../ndarray.ts";
import { features } from "../policies/features.ts";
import { observationAt, subjectOf } from "./recording.ts";
import type { Windows } from "./windows.ts";

const ACTION = 7;

/** Windows of a set of episodes, in their order. */
export interface ExecutedWindows extends Windows {
  /** 1 for steps to learn from, 0 for others, [N, horizon]; the first step of a window is always 1. */
  readonly weight: NDArray;
  /** Advantage of the window's episode, [N]. */
  readonly advantage: NDArray;
}

/** How windows are cut. */
export interface Cut {
  /** Task names in the order of the policy's one-hot input. */
  readonly order: readonly string[];
  /** Steps of a window. */
  readonly horizon: number;
  /** Steps from the start of a window to that of the next: the executed horizon gives each executed chunk once. */
  readonly stride: number;
  /** Steps of a window that are learned from, `horizon` unless said; the rest has weight 0. */
  readonly learned?: number;
  /** Column of the actions: "action" as executed (default), "base" as the policy drew them. */
  readonly column?: "action" | "base";
}

/**
 * Every `stride`-th step of an episode starts a window, seen as it was at that very step. Steps past the end of an
 * episode have weight 0 and hold the no-op with the last gripper command; an episode shorter than the horizon is one
 * such window.
 *
 * @throws {Error} when an episode's task is not among `order`, it has no actions or no advantage, or there is no step
 */
export function executedWindows(
  episodes: readonly Episode[],
  { order, horizon, stride, learned = horizon, column = "action" }: Cut,
): ExecutedWindows {
  const count = episodes.reduce((sum, { length }) => sum + Math.ceil(length / stride), 0);
  if (count === 0) throw new Error("Cannot cut windows from no steps: give at least one episode");
  let observed: NDArray | undefined;
  const chunks = ndarray([count, horizon, ACTION]), weight = ndarray([count, horizon]);
  const advantage = ndarray([count]);
  let row = 0;
  for (const episode of episodes) {
    const task = subjectOf(episode), actions = episode.columns[column];
    if (!actions) {
      throw new Error(
        `Cannot cut windows from an episode of "${episode.task}": it has no column "${column}"`,
      );
    }
    if (episode.tags.advantage === undefined) {
      throw new Error(`Cannot cut windows from an episode of "${episode.task}": it has no advantage`);
    }
    const lastGripper = actions.data[episode.length * ACTION - 1]!;
    for (let t = 0; t < episode.length; t += stride, row++) {
      const seen = features(observationAt(episode, t), task, order);
      observed ??= ndarray([count, seen.length]);
      observed.data.set(seen, row * seen.length);
      const real = Math.min(horizon, episode.length - t);
      const chunk = chunks.data.subarray(row * horizon * ACTION, (row + 1) * horizon * ACTION);
      chunk.set(actions.data.subarray(t * ACTION, (t + real) * ACTION));
      for (let i = real * ACTION + ACTION - 1; i < chunk.length; i += ACTION) chunk[i] = lastGripper;
      weight.data.fill(1, row * horizon, row * horizon + Math.min(real, learned));
      advantage.data[row] = episode.tags.advantage;
    }
  }
  return { features: observed!, chunks, weight, advantage };
}
