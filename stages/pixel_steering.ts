/** A noise actor that sees the world's cameras, and of the numbers only those of the robot itself. */
import { Session } from "../engine/session.ts";
import type { Observation } from "../envs/environment.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { actorProgram, type PixelActorForm, type Sizes } from "../rl/dsrl_pixels.ts";
import { ACTING_THREADS, type Lane } from "./rollout.ts";
import type { LearnedSteering } from "./steering_training.ts";
import type { WorldSettings } from "./world.ts";

/** Numbers beside the pictures: proprioception, as in the public code. */
export const PROPRIOCEPTION = 8;

/** The cameras that a learner sees, all of one size. */
export interface Cameras {
  /** Their names, in the order of the channels. */
  readonly names: readonly string[];
  /** Rows of a picture. */
  readonly height: number;
  /** Pixels in a row. */
  readonly width: number;
  /** Numbers of a pixel: three for each camera. */
  readonly channels: number;
}

/**
 * The cameras of a world.
 *
 * @throws {Error} when there are none, or they have no size or different ones
 */
export function camerasOf({ cameras = [] }: WorldSettings): Cameras {
  const [first] = cameras;
  if (!first) throw new Error("Cannot learn from pictures without cameras: give the world's settings some");
  for (const { name, width, height } of cameras) {
    if (width === undefined || height === undefined) {
      throw new Error(`Cannot learn from camera "${name}" of unknown size: give its width and height`);
    }
    if (width !== first.width || height !== first.height) {
      throw new Error(
        `Cannot learn from camera "${name}" of ${width} x ${height} beside "${first.name}" of ` +
          `${first.width} x ${first.height}: all must have one size`,
      );
    }
  }
  const names = cameras.map(({ name }) => name);
  return { names, height: first.height!, width: first.width!, channels: 3 * names.length };
}

/** The pictures of an observation side by side in each pixel, [height * width * channels], numbers 0 ... 255. */
export function pixelsOf({ images }: Observation, { names, height, width, channels }: Cameras): Float32Array {
  const out = new Float32Array(height * width * channels);
  names.forEach((name, camera) => {
    const image = images?.[name];
    if (!image) throw new Error(`Cannot see camera "${name}": the observation has no image of it`);
    for (let pixel = 0; pixel < height * width; pixel++) {
      for (let k = 0; k < 3; k++) out[pixel * channels + 3 * camera + k] = image.data[3 * pixel + k]!;
    }
  });
  return out;
}

/** The noise actor over lanes: deterministic w = m tanh μ, or sampled ones. */
export class PixelNoiseActor implements LearnedSteering {
  readonly #session: Session;
  readonly #lanes: number;
  readonly #cameras: Cameras;
  readonly #sizes: Sizes;
  #weights: Tensors;
  /** Whether w is sampled; otherwise it is deterministic. */
  sampled: boolean;

  private constructor(
    session: Session,
    { lanes, cameras, sizes, weights, sampled }: {
      lanes: number;
      cameras: Cameras;
      sizes: Sizes;
      weights: Tensors;
      sampled: boolean;
    },
  ) {
    this.#session = session;
    this.#lanes = lanes;
    this.#cameras = cameras;
    this.#sizes = sizes;
    this.#weights = part(weights, "actor");
    this.sampled = sampled;
  }

  /** Opens the actor among `weights` for `lanes` rows and w of `noise` numbers. */
  static async open(
    { weights, cameras, lanes, noise, form, sampled }: {
      weights: Tensors;
      cameras: Cameras;
      lanes: number;
      noise: number;
      form: PixelActorForm;
      sampled: boolean;
    },
  ): Promise<PixelNoiseActor> {
    const sizes = { ...cameras, state: PROPRIOCEPTION, noise };
    const session = await Session.create(actorProgram(lanes, sizes, form), { threads: ACTING_THREADS });
    return new PixelNoiseActor(session, { lanes, cameras, sizes, weights, sampled });
  }

  /** Acts with newer weights from now on. */
  set weights(weights: Tensors) {
    this.#weights = part(weights, "actor");
  }

  observe({ observation }: Lane): { pixels: Float32Array; state: Float32Array } {
    return {
      pixels: pixelsOf(observation, this.#cameras),
      state: Float32Array.from(observation.proprioception),
    };
  }

  async choose(
    observed: readonly (Record<string, Float32Array> | undefined)[],
    draws: NDArray,
  ): Promise<NDArray> {
    const { height, width, channels, state: numbers, noise: wide } = this.#sizes;
    const pixels = ndarray([this.#lanes, height, width, channels]);
    const state = ndarray([this.#lanes, numbers]);
    observed.forEach((columns, lane) => {
      if (!columns) return;
      pixels.data.set(columns.pixels!, lane * height * width * channels);
      state.data.set(columns.state!, lane * numbers);
    });
    const noise = this.sampled ? draws : ndarray([this.#lanes, wide]);
    const { w } = await this.#session.run({ ...this.#weights, pixels, state, noise });
    return w!;
  }

  /** Disposes the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
