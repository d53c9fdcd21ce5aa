/** A policy behind openpi's protocol in lanes: a chunk is asked for where the last one is used up, lane by lane. */
import { wireArray } from "../policies/msgpack_numpy.ts";
import { actionsOf, liberoObservation, type Message } from "../policies/openpi.ts";
import { stream } from "../random.ts";
import type { Actor, Decision, Lane } from "./rollout.ts";

const ACTION = 7;

/** What can be asked for actions. */
export interface Asked {
  /** The answer to an observation. */
  infer(observation: Message): Promise<Message>;
}

/** How a remote policy is asked. */
export interface RemoteOptions {
  /** Names of the cameras over the table and on the wrist. */
  readonly cameras: readonly [string, string];
  /** Actions executed of each chunk. */
  readonly execute: number;
  /** Extents of the initial noise sent along as "noise"; none: the server draws its own. */
  readonly noise: readonly number[];
  /** Seed of the noise streams. */
  readonly seed: number;
}

/** A remote policy over all lanes. Nothing of an episode outlives it: chunks are dropped where the next one begins. */
export class RemotePolicy implements Actor {
  readonly #policy: Asked;
  readonly #options: RemoteOptions;
  readonly #chunks = new Map<number, { actions: Float32Array; used: number; queries: number }>();

  /** Acts by asking `policy`, and does not close it. */
  constructor(policy: Asked, options: RemoteOptions) {
    this.#policy = policy;
    this.#options = options;
  }

  begin(lane: Lane): void {
    this.#chunks.delete(lane.index);
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    const decisions: (Decision | undefined)[] = [];
    for (const lane of lanes) decisions.push(lane && { action: await this.#action(lane) });
    return decisions;
  }

  async #action(lane: Lane): Promise<Float32Array> {
    const { execute } = this.#options;
    let chunk = this.#chunks.get(lane.index);
    if (!chunk || chunk.used === execute) {
      const queries = chunk?.queries ?? 0;
      chunk = { actions: await this.#ask(lane, queries), used: 0, queries: queries + 1 };
      this.#chunks.set(lane.index, chunk);
    }
    const at = chunk.used++ * ACTION;
    return chunk.actions.slice(at, at + ACTION);
  }

  async #ask({ plan, observation }: Lane, queries: number): Promise<Float32Array> {
    const { cameras, execute, noise: shape, seed } = this.#options;
    const { task, state, noise: number } = plan;
    const question = liberoObservation(observation, task.language, cameras);
    const draw = () => {
      const noise = new Float32Array(shape.reduce((a, b) => a * b, 1));
      stream(seed, "chunk", task.name, state.split, state.index, number, queries).fillNormal(noise);
      return { noise: wireArray(shape, noise) };
    };
    const answer = await this.#policy.infer(shape.length === 0 ? question : { ...question, ...draw() });
    const { horizon, actions } = actionsOf(answer, ACTION);
    if (horizon < execute) {
      throw new Error(
        `Cannot execute ${execute} actions of a chunk: the policy server sends ${horizon}; replan more often`,
      );
    }
    return actions;
  }
}
