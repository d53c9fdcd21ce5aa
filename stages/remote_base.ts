/** A policy that answers observations (a LeRobot checkpoint, a server) as the frozen base of residual learning. */
import { wireArray } from "../policies/msgpack_numpy.ts";
import { actionsOf, liberoObservation, type Message } from "../policies/openpi.ts";
import { stream } from "../random.ts";
import type { OpenedBase } from "./online_lanes.ts";
import { OpenLoop } from "./open_loop.ts";
import type { Lane } from "./rollout.ts";

const ACTION = 7;

/** How the policy is asked. */
export interface RemoteBaseOptions {
  /** The answer to an observation. */
  readonly infer: (observation: Message) => Promise<Message>;
  /** Names of the cameras over the table and on the wrist. */
  readonly cameras: readonly [string, string];
  /** Lanes. */
  readonly lanes: number;
  /** Actions executed of each chunk. */
  readonly execute: number;
  /** Extents of its noise; none: it draws none, or its own. */
  readonly noise: readonly number[];
  /** Seed of the noise streams. */
  readonly seed: number;
  /** Closes what answers. */
  readonly close: () => Promise<void>;
}

/** The base over all lanes: the noise of a chunk is a function of the episode's key and the number of the query. */
export class RemoteBase extends OpenLoop implements OpenedBase {
  readonly #options: RemoteBaseOptions;

  /** Starts all lanes without a chunk. */
  constructor(options: RemoteBaseOptions) {
    super(options);
    this.#options = options;
  }

  override async refresh(lanes: readonly (Lane | undefined)[]): Promise<void> {
    for (const lane of lanes) {
      if (!lane || !this.due(lane.index)) continue;
      this.renew(lane.index, await this.#ask(lane, this.cursor(lane.index).queries));
    }
  }

  async #ask({ plan, observation }: Lane, queries: number): Promise<Float32Array> {
    const { infer, cameras, noise: shape, seed, execute } = this.#options;
    const { task, state, noise: number } = plan;
    const question = liberoObservation(observation, task.language, cameras);
    const draw = () => {
      const noise = new Float32Array(shape.reduce((a, b) => a * b, 1));
      stream(seed, "chunk", task.name, state.split, state.index, number, queries).fillNormal(noise);
      return { noise: wireArray(shape, noise) };
    };
    const answer = await infer(shape.length === 0 ? question : { ...question, ...draw() });
    const { horizon, actions } = actionsOf(answer, ACTION);
    if (horizon < execute) {
      throw new Error(
        `Cannot execute ${execute} actions of a chunk: the policy sends ${horizon}; ask more often`,
      );
    }
    return actions.map((x) => Math.min(1, Math.max(-1, x)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.close();
  }
}
