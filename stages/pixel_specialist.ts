/** A residual that sees the world's cameras, and of the numbers only those of the robot itself. */
import { z } from "zod";
import type { Normalization } from "../data/normalization.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import { type NDArray, ndarray, size, type Tensors } from "../ndarray.ts";
import { frameShape } from "../nn/vision.ts";
import { part } from "../nn/weights.ts";
import { acting, actorProgram, encoders, type Vision } from "../rl/pld_pixels.ts";
import { type Cameras, camerasOf, picturesOf } from "./cameras.ts";
import type { OpenResidual, Residual } from "./residual_actor.ts";
import { ACTING_THREADS, type Lane } from "./rollout.ts";
import { PROPRIOCEPTION, proprioception } from "./seeing.ts";
import type { WorldSettings } from "./world.ts";

const ACTION = 7;

/** What a stage is told of how a learner sees. */
export const vision = z.strictObject({
  encoder: encoders.describe("what looks at the cameras"),
  frames: z.enum(["pictures", "features"])
    .describe(
      "what the replay keeps: bytes of pictures, cropped at random; or the trunk's half-precision features",
    ),
}).refine(({ encoder, frames }) => encoder.encoder === "resnet" || frames === "pictures", {
  error: "only a ResNet has features to keep",
});

/** Everything that decides the shapes of a learner that sees. */
export function visionOf(world: WorldSettings, { encoder, frames }: z.output<typeof vision>): Vision {
  return { encoder, frames, cameras: camerasOf(world), proprioception: PROPRIOCEPTION, action: ACTION };
}

/** A residual from frames, opened for a batch of lanes. */
export class PixelSpecialist implements Residual {
  readonly #session: Session;
  readonly #lanes: number;
  readonly #cameras: Cameras;
  readonly #vision: Vision;
  readonly #scale: Normalization;
  /** Weights that act; replace them to act with newer ones. */
  weights: Tensors;
  /** Residual scale of each action dimension, [7]. */
  xi: NDArray;

  private constructor(
    session: Session,
    { lanes, cameras, vision, scale, weights, xi }: {
      lanes: number;
      cameras: Cameras;
      vision: Vision;
      scale: Normalization;
      weights: Tensors;
      xi: NDArray;
    },
  ) {
    this.#session = session;
    this.#lanes = lanes;
    this.#cameras = cameras;
    this.#vision = vision;
    this.#scale = scale;
    this.weights = acting(weights);
    this.xi = xi;
  }

  /**
   * Opens the actor among `weights` for frames as `vision` says; for pictures through a ResNet these also hold the trunk.
   *
   * @throws {Error} when the weights hold no residual scale "xi"
   */
  static async open(
    { weights, scale, lanes, cameras, vision, session: options = { threads: ACTING_THREADS } }: {
      weights: Tensors;
      scale: Normalization;
      lanes: number;
      cameras: Cameras;
      vision: Vision;
      session?: SessionOptions;
    },
  ): Promise<PixelSpecialist> {
    const { xi } = weights;
    if (!xi) throw new Error('Cannot open a specialist: its weights hold no residual scale "xi"');
    const trunk = vision.frames === "pictures" ? part(weights, "trunk") : {};
    const program = actorProgram(lanes, vision, acting(weights), trunk);
    const session = await Session.create(program, options);
    return new PixelSpecialist(session, { lanes, cameras, vision, scale, weights, xi });
  }

  /**
   * Executed actions, [lanes, 7], of lanes with frames [lanes, ...] and proprioception [16]; rows of empty lanes are
   * meaningless.
   *
   * @param noise standard normal for exploration [lanes, 7]; left out, the action is deterministic
   */
  async act(
    frames: NDArray,
    states: readonly (Float32Array | undefined)[],
    bases: readonly (Float32Array | undefined)[],
    noise: NDArray = ndarray([this.#lanes, ACTION]),
  ): Promise<Float32Array> {
    const state = ndarray([this.#lanes, PROPRIOCEPTION]), base = ndarray([this.#lanes, ACTION]);
    for (let lane = 0; lane < this.#lanes; lane++) {
      state.data.set(
        (states[lane] ?? new Float32Array(0)).subarray(0, PROPRIOCEPTION),
        lane * PROPRIOCEPTION,
      );
      base.data.set(bases[lane] ?? [], lane * ACTION);
    }
    const inputs = { ...this.weights, frames, state, base, noise, xi: this.xi };
    const { action } = await this.#session.run(inputs);
    return action!.data;
  }

  async correct(
    lanes: readonly (Lane | undefined)[],
    phase: (lane: number) => number,
    bases: readonly (Float32Array | undefined)[],
  ): Promise<Float32Array> {
    const extents = frameShape(this.#cameras, "pictures"), wide = size(extents);
    const frames = ndarray([this.#lanes, ...extents]);
    const states = lanes.map((lane, i) => {
      if (!lane) return undefined;
      frames.data.set(picturesOf(lane.observation, this.#cameras), i * wide);
      return proprioception(lane, phase(lane.index), this.#scale);
    });
    if (this.#vision.frames !== "pictures") {
      throw new Error("Cannot correct lanes from features: open the specialist for pictures");
    }
    return await this.act(frames, states, bases);
  }

  /** Disposes the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/** How stored specialists that see are opened to act in a world. */
export function openSeeing(world: WorldSettings, told: z.output<typeof vision>): OpenResidual {
  const cameras = camerasOf(world), seen = { ...visionOf(world, told), frames: "pictures" } as const;
  return (stored) => PixelSpecialist.open({ ...stored, cameras, vision: seen });
}
