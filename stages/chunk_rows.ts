/** From episodes to what a learner on chunks with its own flow is fed: one row for each step that starts a chunk. */
import { type ChunkForm, chunkTransitions } from "../data/chunk_transitions.ts";
import type { Episode } from "../data/episode.ts";
import type { Normalization } from "../data/normalization.ts";
import { features } from "../policies/features.ts";
import { chunkState } from "./chunk_data.ts";
import { observationAt, type Row, subjectOf } from "./recording.ts";

const ACTION = 7;

/** What is seen at a control step: by the critic, normalised, [S]; by the flow, in physical units, [F]. */
export interface Seen {
  /** s, [S]. */
  readonly state: Float32Array;
  /** o, [F]. */
  readonly features: Float32Array;
}

/** How observations become what is seen. */
export interface View {
  /** The scale of states, see `chunkScale`. */
  readonly scale: Normalization;
  /** Task names in the order of the one-hot input. */
  readonly tasks: readonly string[];
}

/** What critic and flow see in a lane. */
export function seen(
  lane: Parameters<typeof chunkState>[0],
  { scale, tasks }: View,
): Seen {
  return {
    state: chunkState(lane, tasks, scale),
    features: features(lane.observation, lane.plan.task, tasks),
  };
}

/** What was seen before each action of a stored episode. */
export function seenIn(episode: Episode, view: View): Seen[] {
  const plan = { task: subjectOf(episode) };
  return Array.from(
    { length: episode.length },
    (_, t) => seen({ observation: observationAt(episode, t), plan }, view),
  );
}

/**
 * Rows of an episode, in the order of their starts, in the columns of rl/qc.ts. A step of a chunk is cloned (weight 1)
 * when it was taken; so is the padding after a success where ends are padded, since the critic learns from it.
 *
 * @param steps what was seen before each action, and after the last one where that is known
 */
export function* chunkRows(episode: Episode, steps: readonly Seen[], form: ChunkForm): Generator<Row> {
  const { chunks, reward, mask, next, valid } = chunkTransitions(episode, form, steps.length);
  const { horizon, ends } = form, padded = episode.success && ends === "padded";
  for (let t = 0; t < episode.length; t++) {
    const taken = Math.min(horizon, episode.length - t), after = steps[next[t]!]!;
    yield {
      ...steps[t]!,
      chunk: chunks.data.subarray(t * horizon * ACTION, (t + 1) * horizon * ACTION),
      weight: Float32Array.from({ length: horizon }, (_, k) => Number(padded || k < taken)),
      reward: [reward[t]!],
      mask: [mask[t]!],
      valid: [valid[t]!],
      nextState: after.state,
      nextFeatures: after.features,
    };
  }
}
