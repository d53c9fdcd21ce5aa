/** A SAC policy in lanes: no base, no chunks; it sees what a residual learner sees, with the chunk position at 0. */
import type { Normalization } from "../data/normalization.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { actorProgram, type Hyperparameters } from "../rl/sac.ts";
import { learnerState } from "./residual_actor.ts";
import { ACTING_THREADS, type Actor, type Decision, type Lane } from "./rollout.ts";

const ACTION = 7;

/** A SAC actor opened for a batch of lanes. */
export class SacActor implements Actor {
  readonly #session: Session;
  readonly #lanes: number;
  readonly #scale: Normalization;
  #weights: Tensors;

  private constructor(session: Session, lanes: number, scale: Normalization, weights: Tensors) {
    this.#session = session;
    this.#lanes = lanes;
    this.#scale = scale;
    this.#weights = part(weights, "actor");
  }

  /** Opens the actor among `weights` for `lanes` rows; `scale` normalises its states. */
  static async open(
    { weights, scale, lanes, hyperparameters, session = { threads: ACTING_THREADS } }: {
      weights: Tensors;
      scale: Normalization;
      lanes: number;
      hyperparameters: Hyperparameters;
      session?: SessionOptions;
    },
  ): Promise<SacActor> {
    const program = actorProgram(lanes, { state: scale.center.length, action: ACTION }, hyperparameters);
    return new SacActor(await Session.create(program, session), lanes, scale, weights);
  }

  /** Acts with newer weights from now on. */
  set weights(weights: Tensors) {
    this.#weights = part(weights, "actor");
  }

  /** Actions [lanes, 7] for normalised states; zero noise, the default, gives the deterministic action. */
  async actions(
    states: readonly (Float32Array | undefined)[],
    noise: NDArray = ndarray([this.#lanes, ACTION]),
  ): Promise<Float32Array> {
    const width = this.#scale.center.length;
    const state = ndarray([this.#lanes, width]);
    states.forEach((values, lane) => state.data.set(values ?? [], lane * width));
    const { action } = await this.#session.run({ ...this.#weights, state, noise });
    return action!.data;
  }

  begin(): void {}

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    const actions = await this.actions(lanes.map((lane) => lane && learnerState(lane, 0, this.#scale)));
    return lanes.map((lane, i) => lane && { action: actions.slice(i * ACTION, (i + 1) * ACTION) });
  }

  /** Disposes the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
