/** A policy behind openpi's protocol that is steered: at every query a noise w is chosen, and sent as its initial noise. */
import { ndarray } from "../ndarray.ts";
import { wireArray } from "../policies/msgpack_numpy.ts";
import { actionsOf, type Message } from "../policies/openpi.ts";
import { stream } from "../random.ts";
import { spread } from "../rl/steering_noise.ts";
import type { SteeredChunks } from "./query_lanes.ts";
import type { View } from "./remote_views.ts";
import type { Actor, Decision, Lane } from "./rollout.ts";
import type { Query, Steering } from "./steered_base.ts";

/** How a remote policy is steered. */
export interface RemoteSteeringOptions {
  /** Asks the policy. */
  readonly infer: (observation: Message) => Promise<Message>;
  /** What it is shown. */
  readonly view: View;
  /** Lanes. */
  readonly lanes: number;
  /** Numbers of an action. */
  readonly actionSize: number;
  /** Actions executed of each chunk. */
  readonly execute: number;
  /** Extents of the policy's noise: rows H, each of W numbers. */
  readonly noise: readonly [number, number];
  /** Rows of w: one, repeated, or all H. */
  readonly rows: number;
  /** Seed of the draws. */
  readonly seed: number;
  /** Chooses w. */
  readonly steering: Steering;
}

interface Cursor {
  query: Query | undefined;
  used: number;
  queries: number;
}

/** What is stored of a policy's own observation: nothing, pictures stay on the wire. */
const NOTHING = new Float32Array(1);

/** A remote policy over all lanes. The draws of a query are a function of the episode's key and the query's number. */
export class RemoteSteering implements SteeredChunks, Actor {
  readonly #options: RemoteSteeringOptions;
  readonly #cursors: Cursor[];
  /** Whether the policy was seen to obey the noise it is sent. */
  #obeys = false;

  /** Starts all lanes without a chunk. */
  constructor(options: RemoteSteeringOptions) {
    this.#options = options;
    this.#cursors = Array.from({ length: options.lanes }, () => this.#fresh());
  }

  #fresh(): Cursor {
    return { query: undefined, used: 0, queries: 0 };
  }

  get actionSize(): number {
    return this.#options.actionSize;
  }

  get execute(): number {
    return this.#options.execute;
  }

  get steering(): Steering {
    return this.#options.steering;
  }

  begin({ index }: Lane): void {
    this.#cursors[index] = this.#fresh();
  }

  due(lane: number): boolean {
    const { query, used } = this.#cursors[lane]!;
    return query === undefined || used >= this.#options.execute;
  }

  query(lane: number): Query | undefined {
    return this.#cursors[lane]!.query;
  }

  used(lane: number): number {
    return this.#cursors[lane]!.used;
  }

  queries(lane: number): number {
    return this.#cursors[lane]!.queries;
  }

  features(): Float32Array {
    return NOTHING;
  }

  restore(lane: number, cursor: { query: Query; used: number; queries: number }): void {
    this.#cursors[lane] = { ...cursor };
  }

  next(lane: number): Float32Array {
    const cursor = this.#cursors[lane]!, from = cursor.used++ * this.actionSize;
    return cursor.query!.chunk.slice(from, from + this.actionSize);
  }

  async refresh(lanes: readonly (Lane | undefined)[]): Promise<void> {
    const due = lanes.filter((lane): lane is Lane => lane !== undefined && this.due(lane.index));
    if (due.length === 0) return;
    const { lanes: count, noise: [, row], rows, seed, steering } = this.#options;
    const width = rows * row;
    const draws = ndarray([count, width]);
    const observed: (Record<string, Float32Array> | undefined)[] = Array(count).fill(undefined);
    for (const lane of due) {
      const { index, plan: { task, state, noise: number } } = lane;
      stream(seed, "chunk", task.name, state.split, state.index, number, this.#cursors[index]!.queries)
        .fillNormal(draws.data.subarray(index * width, (index + 1) * width));
      observed[index] = steering.observe(lane);
    }
    const w = await steering.choose(observed, draws);
    if (!this.#obeys) await this.#assertObeys(due[0]!);
    for (const lane of due) {
      const chosen = w.data.slice(lane.index * width, (lane.index + 1) * width);
      const cursor = this.#cursors[lane.index]!;
      cursor.query = {
        observed: observed[lane.index]!,
        features: NOTHING,
        w: chosen,
        chunk: await this.#ask(lane, chosen),
      };
      cursor.used = 0;
      cursor.queries++;
    }
  }

  async #ask({ observation, plan: { task } }: Lane, w: Float32Array): Promise<Float32Array> {
    const { infer, view, noise: [horizon, width], rows, actionSize, execute } = this.#options;
    const noise = new Float32Array(horizon * width);
    spread(w, rows, horizon, noise);
    const question = { ...view(observation, task.language), noise: wireArray([horizon, width], noise) };
    const { horizon: sent, actions } = actionsOf(await infer(question), actionSize);
    if (sent < execute) {
      throw new Error(
        `Cannot execute ${execute} actions of a chunk: the policy server sends ${sent}; query more often`,
      );
    }
    return actions;
  }

  /** A server that ignores what it does not know answers all the same, and nothing would ever be learned. */
  async #assertObeys(lane: Lane): Promise<void> {
    const { noise: [, row], rows } = this.#options;
    const [one, same, other] = [
      await this.#ask(lane, new Float32Array(rows * row).fill(0.5)),
      await this.#ask(lane, new Float32Array(rows * row).fill(0.5)),
      await this.#ask(lane, new Float32Array(rows * row).fill(-0.5)),
    ];
    const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
    if (apart(one, same) > 0.1 * apart(one, other) || apart(one, other) === 0) {
      throw new Error(
        'Cannot steer this policy server: its actions do not follow the "noise" it is sent; pass it on to the policy ' +
          "(docs/openpi.md)",
      );
    }
    this.#obeys = true;
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    await this.refresh(lanes);
    return lanes.map((lane) => lane && { action: this.next(lane.index) });
  }
}
