/** The record of one episode: what was observed and done, success and time; never a derived reward. */
import type { NDArray } from "../ndarray.ts";

/** One episode of one task from one initial state. */
export interface Episode {
  /** Name of the task within its suite. */
  readonly task: string;
  /** The observed objects by what they are to the task, so that data can be read without the world they come from. */
  readonly roles: { readonly target: string; readonly goal: string };
  /** Which stream of initial states `index` counts in; evaluation states must never reach training data. */
  readonly split: "training" | "evaluation";
  /** The initial state, 0 ... 2^31 - 1. */
  readonly index: number;
  /** Whether the last step reached the goal. */
  readonly success: boolean;
  /** Control steps taken, T >= 1. */
  readonly length: number;
  /** Each [T, ...], or [T + 1, ...] where the state after the last action was observed once more. */
  readonly columns: Readonly<Record<string, NDArray>>;
  /** Numbers of the whole episode: noise seed, steps of the base before the hand-over, ... */
  readonly tags: Readonly<Record<string, number>>;
}

/**
 * Refuses an episode whose parts contradict each other.
 *
 * @throws {RangeError} when the length, the index or a column's number of rows is impossible
 */
export function checkEpisode(episode: Episode, where: string): void {
  const { length, index, columns } = episode;
  if (!Number.isInteger(length) || length < 1) {
    throw new RangeError(`Cannot store ${where} of ${length} steps: the length must be a positive integer`);
  }
  if (!Number.isInteger(index) || index < 0 || index > 0x7fff_ffff) {
    throw new RangeError(`Cannot store ${where} from initial state ${index}: it must be in 0 ... 2^31 - 1`);
  }
  for (const [name, { shape }] of Object.entries(columns)) {
    if (shape[0] !== length && shape[0] !== length + 1) {
      throw new RangeError(
        `Cannot store column "${name}" of ${where} with shape [${shape}]: ` +
          `it must have ${length} rows, or ${length + 1} with the last observation`,
      );
    }
  }
}
