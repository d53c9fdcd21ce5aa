/**
 * A replay buffer whose transitions name frames: what `Replay` holds, and a ring of the frames that states were seen in.
 * A state's last number is the number of its frame.
 */
import { type NDArray, size, type Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";
import { frameBytes, Frames, type FrameStorage } from "./frames.ts";
import { Replay, type RowShapes } from "./replay.ts";

/**
 * Frames kept for so many transitions: every transition leads to a new one, and each episode begins with one more. Where
 * episodes are shorter than 32 steps, the oldest transitions lose their frames before they are overwritten, and are drawn
 * no more.
 */
export function frameCapacity(transitions: number): number {
  return transitions + Math.ceil(transitions / 32) + 64;
}

/** What a frame replay is made of. */
export interface FrameReplayForm {
  /** Row shapes; "state" and "nextState" are vectors whose last number is that of the frame. */
  readonly columns: RowShapes;
  /** Extents of a frame. */
  readonly frame: readonly number[];
  /** How frames are stored. */
  readonly storage: FrameStorage;
}

/** Bytes of a frame replay of so many transitions. */
export function frameReplayBytes(transitions: number, { columns, frame, storage }: FrameReplayForm): number {
  const row = 4 * Object.values(columns).reduce((n, shape) => n + size(shape), 0);
  return transitions * row + frameCapacity(transitions) * frameBytes(frame, storage);
}

/** Columns that hold a state, and those that a batch gets its frames in. */
const SEEN = { state: "frames", nextState: "nextFrames" } as const;

/** Transitions with their frames. */
export class FrameReplay {
  /** The transitions. */
  readonly replay: Replay;
  /** The frames they name. */
  readonly frames: Frames;
  #scratch: Tensors = {};

  /** Joins transitions and the frames they name. */
  constructor(replay: Replay, frames: Frames) {
    this.replay = replay;
    this.frames = frames;
  }

  /** An empty buffer of `capacity` transitions. */
  static empty(capacity: number, { columns, frame, storage }: FrameReplayForm): FrameReplay {
    return new FrameReplay(
      new Replay(capacity, columns),
      new Frames(frameCapacity(capacity), frame, storage),
    );
  }

  /**
   * Draws `count` transitions uniformly, with replacement, of those whose frames are still held, into rows `offset`, ...
   * of the columns of `out`. "state" and "nextState" there lack the number of the frame; "frames" and "nextFrames" are
   * the frames. A column that `out` lacks is left out.
   *
   * @throws {RangeError} when no frame of any transition is held
   */
  sample(stream: Stream, out: Tensors, offset: number, count: number): void {
    const { replay, frames } = this, { state } = replay.rows();
    const width = state!.shape[1]!, ids = state!.data, held = replay.size;
    if (held === 0 || !frames.holds(ids[((replay.added - 1) % replay.capacity + 1) * width - 1]!)) {
      throw new RangeError(`Cannot sample ${count} rows of ${held}: not even the newest has its frame`);
    }
    const indices = Int32Array.from({ length: count }, () => {
      let index: number;
      do index = stream.integer(held); while (!frames.holds(ids[(index + 1) * width - 1]!));
      return index;
    });
    const plain: Tensors = {};
    for (const [name, x] of Object.entries(out)) {
      if (!(name in SEEN) && name !== "frames" && name !== "nextFrames") plain[name] = x;
    }
    replay.gather(indices, plain, offset);
    for (const [name, seen] of Object.entries(SEEN)) {
      const rows = this.#rows(name, count, width);
      replay.gather(indices, { [name]: rows });
      const target = out[name]?.data;
      const numbers = new Int32Array(count);
      for (let row = 0; row < count; row++) {
        numbers[row] = rows.data[(row + 1) * width - 1]!;
        target?.set(
          rows.data.subarray(row * width, (row + 1) * width - 1),
          (offset + row) * (width - 1),
        );
      }
      if (out[seen]) frames.gather(numbers, out[seen].data, offset);
    }
  }

  #rows(name: string, count: number, width: number): NDArray {
    const known = this.#scratch[name];
    if (known?.shape[0] === count) return known;
    return this.#scratch[name] = { shape: [count, width], data: new Float32Array(count * width) };
  }
}
