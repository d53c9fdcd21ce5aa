/** From episodes to what a residual learner is fed: normalised states and transitions with the base's actions. */
import type { Episode } from "../data/episode.ts";
import { fit, type Normalization, normalize } from "../data/normalization.ts";
import { Replay } from "../data/replay.ts";
import { returnToGo, rewards } from "../data/returns.ts";
import { type NDArray, ndarray } from "../ndarray.ts";
import { residualState } from "../policies/features.ts";
import { observationAt, subjectOf } from "./recording.ts";

const ACTION = 7;

/** Row shapes of a transition for states of width `state`. */
export function transitionShapes(state: number): Record<string, readonly number[]> {
  return {
    state: [state],
    base: [ACTION],
    action: [ACTION],
    reward: [],
    terminated: [],
    truncated: [],
    nextState: [state],
    nextBase: [ACTION],
  };
}

/** Unnormalised learner states of an episode of the base, [T, S]; `execute` is the length of its chunks. */
function rawStates(episode: Episode, execute: number): NDArray {
  const rows = Array.from(
    { length: episode.length },
    (_, t) => residualState(observationAt(episode, t), subjectOf(episode), (t % execute) / execute),
  );
  const states = ndarray([episode.length, rows[0]!.length]);
  rows.forEach((row, t) => states.data.set(row, t * row.length));
  return states;
}

/**
 * The z-score under which learners see states, from episodes of the base. Floors and clipping keep a direction that
 * the base hardly moves in from growing without bound once the residual explores.
 */
export function stateScale(episodes: readonly Episode[], execute: number): Normalization {
  const parts = episodes.map((episode) => rawStates(episode, execute));
  const width = parts[0]!.shape[1]!;
  const all = ndarray([parts.reduce((n, { shape }) => n + shape[0]!, 0), width]);
  let at = 0;
  for (const { data } of parts) {
    all.data.set(data, at);
    at += data.length;
  }
  return fit(all, { kind: "z-score", floor: 1e-2, clip: 8 });
}

/** How rewards and returns are derived from stored successes. */
export interface RewardForm {
  /** Discount of a control step, 0 ... 1. */
  readonly gamma: number;
  /** Reward of a success before the bias. */
  readonly rewardScale: number;
  /** Added to every reward. */
  readonly rewardBias: number;
}

/**
 * Offline transitions of the base's own successful episodes, with the Monte-Carlo return-to-go as a further column.
 * The residual is zero there: base action and executed action are the same recorded one.
 *
 * @throws {Error} when an episode is no success: only of successes the last step is known to be terminal
 */
export function offlineReplay(
  episodes: readonly Episode[],
  { scale, execute, reward: { gamma, rewardScale, rewardBias } }: {
    scale: Normalization;
    execute: number;
    reward: RewardForm;
  },
): Replay {
  const capacity = episodes.reduce((n, { length }) => n + length, 0);
  const replay = new Replay(capacity, { ...transitionShapes(scale.center.length), returnToGo: [] });
  for (const episode of episodes) {
    const { length, success, columns } = episode;
    if (!success) {
      throw new Error(`Cannot use a failed episode of "${episode.task}" as offline data: keep successes`);
    }
    const states = normalize(scale, rawStates(episode, execute)), width = states.shape[1]!;
    const reward = rewards(length, success, rewardScale, rewardBias);
    const returns = returnToGo(length, success, gamma, rewardScale, rewardBias);
    const actionAt = (t: number) => columns.action!.data.subarray(t * ACTION, (t + 1) * ACTION);
    const stateAt = (t: number) => states.data.subarray(t * width, (t + 1) * width);
    for (let t = 0; t < length; t++) {
      const next = Math.min(t + 1, length - 1);
      replay.add({
        state: stateAt(t),
        base: actionAt(t),
        action: actionAt(t),
        reward: [reward[t]!],
        terminated: [t === length - 1 ? 1 : 0],
        truncated: [0],
        nextState: stateAt(next),
        nextBase: actionAt(next),
        returnToGo: [returns[t]!],
      });
    }
  }
  return replay;
}
