/** What a learner sees in lanes with cameras: proprioception with the number of a frame, and the frames themselves. */
import { fit, type Normalization, normalize } from "../data/normalization.ts";
import type { Frames } from "../data/frames.ts";
import type { Episode } from "../data/episode.ts";
import { compile } from "../engine/program.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import type { Observation } from "../envs/environment.ts";
import { ndarray, size, type Tensors } from "../ndarray.ts";
import { frameShape, trunkFeatures } from "../nn/vision.ts";
import { type Cameras, picturesOf } from "./cameras.ts";
import { observationAt } from "./recording.ts";
import type { Lane } from "./rollout.ts";

/** Numbers beside the frames: proprioception 8, velocity 6, the commanded gripper 1, the place in the base's chunk 1. */
export const PROPRIOCEPTION = 16;

/** These numbers of an observation: metres, radians, per second; nothing of the objects. */
function proprioceptionOf(o: Observation, phase: number): Float32Array {
  return Float32Array.of(...o.proprioception, ...o.velocity, o.gripper, phase);
}

/** The z-score of these numbers, from episodes of the base; `execute` is the length of its chunks. */
export function proprioceptionScale(episodes: readonly Episode[], execute: number): Normalization {
  const rows = episodes.flatMap((episode) =>
    Array.from(
      { length: episode.length },
      (_, t) => proprioceptionOf(observationAt(episode, t), (t % execute) / execute),
    )
  );
  const all = ndarray([rows.length, PROPRIOCEPTION]);
  rows.forEach((row, i) => all.data.set(row, i * PROPRIOCEPTION));
  return fit(all, { kind: "z-score", floor: 1e-2, clip: 8 });
}

/** These numbers normalised, [16]. */
export function proprioception(lane: Lane, phase: number, scale: Normalization): Float32Array {
  return normalize(scale, ndarray([PROPRIOCEPTION], proprioceptionOf(lane.observation, phase))).data;
}

/** When a lane was looked at, and the number of the frame. */
interface Seen {
  readonly state: number;
  readonly t: number;
  readonly id: number;
}

/** Lanes that are seen into a ring of frames. */
export class Seeing implements AsyncDisposable {
  readonly #frames: Frames;
  readonly #cameras: Cameras;
  readonly #scale: Normalization;
  readonly #trunk: Session | undefined;
  readonly #batch: number;
  readonly #seen: Seen[] = [];
  readonly #restored = new Map<number, Seen>();
  #waiting: { readonly id: number; readonly pictures: Uint8Array }[] = [];

  private constructor(
    frames: Frames,
    cameras: Cameras,
    scale: Normalization,
    trunk: Session | undefined,
    batch: number,
  ) {
    this.#frames = frames;
    this.#cameras = cameras;
    this.#scale = scale;
    this.#trunk = trunk;
    this.#batch = batch;
  }

  /**
   * Opens a view of lanes.
   *
   * @param options.trunk makes features of the pictures; left out: pictures are kept
   * @param options.batch pictures that the trunk sees at once
   * @param options.session how the trunk is run
   * @param options.snapshot of an earlier one, whose lanes stand where they stood
   */
  static async open(
    { frames, cameras, scale, trunk, batch, session: options, snapshot }: {
      frames: Frames;
      cameras: Cameras;
      scale: Normalization;
      trunk?: Tensors | undefined;
      batch: number;
      session: SessionOptions;
      snapshot?: Tensors | undefined;
    },
  ): Promise<Seeing> {
    const { height, width, channels } = cameras;
    const session = trunk && await Session.create(
      compile(({ pictures }) => {
        const frozen = Object.entries(trunk).map(([name, x]) => [name, constant(x)] as const);
        return { features: trunkFeatures(Object.fromEntries(frozen), pictures!) };
      }, { pictures: [batch, height, width, channels] }),
      options,
    );
    const seeing = new Seeing(frames, cameras, scale, session, batch);
    const stood = snapshot?.["lanes/frames"];
    for (let lane = 0; lane < (stood?.shape[0] ?? 0); lane++) {
      const [state, t, id] = stood!.data.subarray(3 * lane) as unknown as [number, number, number];
      seeing.#seen[lane] = { state, t, id };
      seeing.#restored.set(lane, { state, t, id });
    }
    return seeing;
  }

  /** What the learner sees in a lane, [17]: proprioception and the number of a new frame, which `flush` completes. */
  see(lane: Lane, phase: number): Float32Array {
    const { plan: { state: { index } }, t } = lane, known = this.#restored.get(lane.index);
    this.#restored.delete(lane.index);
    // A lane that stood where it was last looked at: its frame is in the ring already.
    const id = known?.state === index && known.t === t ? known.id : this.#take(lane);
    this.#seen[lane.index] = { state: index, t, id };
    return Float32Array.of(...proprioception(lane, phase, this.#scale), id);
  }

  #take({ observation }: Lane): number {
    const id = this.#frames.reserve(), pictures = picturesOf(observation, this.#cameras);
    if (this.#trunk) this.#waiting.push({ id, pictures });
    else this.#frames.write(id, pictures);
    return id;
  }

  /** Brings features of all pictures seen since the last time into the ring. */
  async flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    const { height, width, channels } = this.#cameras;
    const wide = size(frameShape(this.#cameras, "features")), narrow = height * width * channels;
    for (let first = 0; first < waiting.length; first += this.#batch) {
      const part = waiting.slice(first, first + this.#batch);
      const pictures = ndarray([this.#batch, height, width, channels]);
      part.forEach((each, i) => pictures.data.set(each.pictures, i * narrow));
      const { features } = await this.#trunk!.run({ pictures });
      part.forEach(({ id }, i) => {
        this.#frames.write(id, features!.data.subarray(i * wide, (i + 1) * wide));
      });
    }
  }

  /** Where the lanes stood when they were last looked at, after a flush. */
  snapshot(): Tensors {
    const rows = Array.from(this.#seen, (seen) => seen ? [seen.state, seen.t, seen.id] : [-1, -1, -1]);
    return { "lanes/frames": ndarray([rows.length, 3], Float32Array.from(rows.flat())) };
  }

  /** Releases the trunk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trunk?.[Symbol.asyncDispose]();
  }
}
