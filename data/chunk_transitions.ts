/**
 * Chunk transitions (Li et al. 2025, "Q-chunking", arXiv:2507.07969): h control steps of an episode as one step of a
 * coarser Markov chain, (s_t, a_t ... a_{t+h-1}, R, s_{t+h}), from every step t. A critic on chunks sees all h actions, so
 * its h-step target has no off-policy bias. With h = 1 they are the transitions of one-step TD, bit for bit.
 */
import { type NDArray, ndarray } from "../ndarray.ts";
import type { Episode } from "./episode.ts";
import { rewards } from "./returns.ts";

/** Codes of a sparse reward, derived from the stored success: 1 on success, or -1 for every step before it. */
export const rewardCodes = {
  "0/1": { rewardScale: 1, rewardBias: 0 },
  "-1/0": { rewardScale: 1, rewardBias: -1 },
} as const;

/** How chunk transitions are cut. */
export interface ChunkForm {
  /** Steps h of a chunk. */
  readonly horizon: number;
  /** Discount of a control step, 0 ... 1. */
  readonly gamma: number;
  /** Reward of a success before the bias. */
  readonly rewardScale: number;
  /** Added to the reward of every step that was taken. */
  readonly rewardBias: number;
  /**
   * Chunks that a success cuts short: "padded" with the no-op, so that the reward is seen from each of the last h
   * starts; or "dropped" unless the success is their last step, as QC's public code masks them.
   */
  readonly ends: "padded" | "dropped";
}

/** The chunk transitions of an episode, one for each of its T steps. */
export interface ChunkTransitions {
  /** a_t ... a_{t+h-1}, [T, h, A]; past the end the no-op: zeros, and the last gripper command. */
  readonly chunks: NDArray;
  /** R = Σ_k γ^k r_{t+k} over the steps that were taken, [T]. */
  readonly reward: Float32Array;
  /** m [T]: 0 where the success lies in the chunk, else 1; a step budget that runs out is no end. */
  readonly mask: Float32Array;
  /** Row of s_{t+h} among the observed states, [T]; where m = 0, or the chunk is not valid, some row that is there. */
  readonly next: Int32Array;
  /** 1 for transitions to learn from, [T]; 0 where the state after the chunk was never seen, or the end is dropped. */
  readonly valid: Uint8Array;
}

/** Discount of the state after a chunk, γ^h. */
export function chunkDiscount({ horizon, gamma }: Pick<ChunkForm, "horizon" | "gamma">): number {
  return gamma ** horizon;
}

/**
 * Writes the chunk of `horizon` actions from step `t` on into `out` [h · A]; past the episode's end it holds the no-op.
 *
 * @throws {Error} when the episode has no actions, or no step `t`
 */
export function writeChunk(episode: Episode, t: number, horizon: number, out: Float32Array): void {
  const { action } = episode.columns, { length } = episode;
  if (!action) throw new Error(`Cannot cut chunks from an episode of "${episode.task}": it has no actions`);
  if (!(t >= 0 && t < length)) {
    throw new RangeError(
      `Cannot cut a chunk at step ${t} of an episode of "${episode.task}": it has ${length}`,
    );
  }
  const width = action.shape[1]!, taken = Math.min(horizon, length - t) * width;
  out.fill(0, taken);
  out.set(action.data.subarray(t * width, t * width + taken));
  const gripper = action.data[length * width - 1]!;
  for (let i = taken + width - 1; i < horizon * width; i += width) out[i] = gripper;
}

/**
 * Cuts an episode.
 *
 * @param states rows of states that were observed: the episode's length, or one more with the state after its last action
 * @throws {RangeError} when the horizon is no positive integer, gamma is outside [0, 1], or `states` does not fit
 */
export function chunkTransitions(
  episode: Episode,
  { horizon, gamma, rewardScale, rewardBias, ends }: ChunkForm,
  states = episode.length,
): ChunkTransitions {
  const { length, success } = episode;
  if (!Number.isInteger(horizon) || horizon < 1) {
    throw new RangeError(`Cannot cut chunks of ${horizon} steps: the horizon must be a positive integer`);
  }
  if (!(gamma >= 0 && gamma <= 1)) {
    throw new RangeError(`Cannot discount by gamma ${gamma}: it must be in [0, 1]`);
  }
  if (states !== length && states !== length + 1) {
    throw new RangeError(
      `Cannot cut ${length} steps with ${states} observed states: there must be as many, or one more`,
    );
  }
  const single = rewards(length, success, rewardScale, rewardBias);
  const width = episode.columns.action?.shape[1] ?? 0;
  const chunks = ndarray([length, horizon, width]);
  const reward = new Float32Array(length), mask = new Float32Array(length).fill(1);
  const next = new Int32Array(length), valid = new Uint8Array(length);
  for (let t = 0; t < length; t++) {
    writeChunk(
      episode,
      t,
      horizon,
      chunks.data.subarray(t * horizon * width, (t + 1) * horizon * width),
    );
    let sum = 0; // in double precision
    for (let k = 0; k < horizon && t + k < length; k++) sum += gamma ** k * single[t + k]!;
    reward[t] = sum;
    const end = t + horizon;
    const terminal = success && end >= length;
    if (terminal) mask[t] = 0;
    next[t] = Math.min(end, states - 1);
    valid[t] = Number(terminal ? ends === "padded" || end === length : end < states);
  }
  return { chunks, reward, mask, next, valid };
}
