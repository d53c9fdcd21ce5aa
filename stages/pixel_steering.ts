/** A noise actor that sees the world's cameras, and of the numbers only those of the robot itself. */
import { Session, type SessionOptions } from "../engine/session.ts";
import type { Observation } from "../envs/environment.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { actorProgram, type PixelActorForm, type Sizes } from "../rl/dsrl_pixels.ts";
import { type Cameras, picturesOf } from "./cameras.ts";
import { ACTING_THREADS, type Lane } from "./rollout.ts";
import type { LearnedSteering } from "./steering_training.ts";

/** Numbers beside the pictures: proprioception, as in the public code. */
export const PROPRIOCEPTION = 8;

/** The noise actor over lanes: deterministic w = m tanh μ, or sampled ones. */
export class PixelNoiseActor implements LearnedSteering {
  readonly #session: Session;
  readonly #lanes: number;
  readonly #cameras: Cameras;
  readonly #shown: (observation: Observation) => Observation;
  readonly #sizes: Sizes;
  #weights: Tensors;
  /** Whether w is sampled; otherwise it is deterministic. */
  sampled: boolean;

  private constructor(
    session: Session,
    { lanes, cameras, shown, sizes, weights, sampled }: {
      lanes: number;
      cameras: Cameras;
      shown: (observation: Observation) => Observation;
      sizes: Sizes;
      weights: Tensors;
      sampled: boolean;
    },
  ) {
    this.#session = session;
    this.#lanes = lanes;
    this.#cameras = cameras;
    this.#shown = shown;
    this.#sizes = sizes;
    this.#weights = part(weights, "actor");
    this.sampled = sampled;
  }

  /**
   * Opens the actor among `weights` for `lanes` rows and w of `noise` numbers; where a ResNet looks, they hold its trunk.
   */
  static async open(
    {
      weights,
      cameras,
      lanes,
      noise,
      form,
      sampled,
      numbers = PROPRIOCEPTION,
      shown = (seen) => seen,
      session: options = { threads: ACTING_THREADS },
    }: {
      weights: Tensors;
      cameras: Cameras;
      lanes: number;
      noise: number;
      form: PixelActorForm;
      sampled: boolean;
      /** Numbers of the proprioception. */
      numbers?: number;
      /** What is made of an observation before the actor sees it. */
      shown?: (observation: Observation) => Observation;
      session?: SessionOptions;
    },
  ): Promise<PixelNoiseActor> {
    const sizes = { ...cameras, state: numbers, noise };
    const program = actorProgram(lanes, sizes, form, part(weights, "trunk"));
    const session = await Session.create(program, options);
    return new PixelNoiseActor(session, { lanes, cameras, shown, sizes, weights, sampled });
  }

  /** Acts with newer weights from now on. */
  set weights(weights: Tensors) {
    this.#weights = part(weights, "actor");
  }

  observe({ observation }: Lane): { pixels: Float32Array; state: Float32Array } {
    return {
      pixels: Float32Array.from(picturesOf(this.#shown(observation), this.#cameras)),
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
