/** Lanes that learn from query to query: endless training episodes of a steered policy, one transition a query. */
import type { Lanes, Step, Task } from "../envs/environment.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import type { Round } from "./online_lanes.ts";
import type { Row } from "./recording.ts";
import type { Lane } from "./rollout.ts";
import type { Query, Steering } from "./steered_base.ts";

/** A steered policy over lanes, as far as they know it; `SteeredBase` is one, a remote policy another. */
export interface SteeredChunks {
  /** Numbers of an action, A. */
  readonly actionSize: number;
  /** Actions of a chunk that are executed before the next query. */
  readonly execute: number;
  /** Chooses w. */
  readonly steering: Pick<Steering, "observe">;
  /** An episode starts in `lane`. */
  begin(lane: Lane): void;
  /** Asks for a new chunk in every occupied lane whose chunk is used up. */
  refresh(lanes: readonly (Lane | undefined)[]): Promise<void>;
  /** The next action [A] of a lane, which moves on by one. */
  next(lane: number): Float32Array;
  /** Whether a lane has no action left. */
  due(lane: number): boolean;
  /** The query that a lane's actions come from. */
  query(lane: number): Query | undefined;
  /** Actions of the lane's chunk that were executed. */
  used(lane: number): number;
  /** Queries of the lane's episode. */
  queries(lane: number): number;
  /** What the policy sees in a lane. */
  features(lane: Lane): Float32Array;
  /** Puts a lane back to where it stood in an interrupted episode. */
  restore(lane: number, cursor: { query: Query; used: number; queries: number }): void;
}

interface Running {
  readonly episode: number;
  readonly lane: Lane;
  readonly executed: number[];
}

/** What the lanes are made of. */
export interface QueryLanesOptions {
  /** The environments. */
  readonly pool: Lanes;
  /** The policy and what steers it. */
  readonly base: SteeredChunks;
  /** The task to learn. */
  readonly task: Task;
  /** Training initial state of the first episode; later ones count on from it. */
  readonly first: number;
  /** Lanes. */
  readonly size: number;
  /** Discount of a control step. */
  readonly gamma: number;
  /** Lanes to continue, as `snapshot` gave them. */
  readonly snapshot?: Tensors;
}

/**
 * The lanes of one steered online phase. A transition goes from a query to the next one, or to the end of the episode
 * where that comes first: "w", "features" and "action" (the executed length of the chunk) of the query, "discount"
 * γ^k for the k steps really executed, "terminated" only on success, and what the learner saw, first and then, e.g.
 * "state" and "nextState"; likewise "nextFeatures".
 */
export class QueryLanes {
  readonly #options: QueryLanesOptions;
  readonly #running: Running[] = [];
  #episodes = 0;

  private constructor(options: QueryLanesOptions) {
    this.#options = options;
  }

  /** Starts an episode in each lane, or continues those of a snapshot. */
  static async open(options: QueryLanesOptions): Promise<QueryLanes> {
    const lanes = new QueryLanes(options);
    for (let index = 0; index < options.size; index++) {
      if (options.snapshot) await lanes.#restore(index, options.snapshot);
      else await lanes.#begin(index, lanes.#episodes++);
    }
    return lanes;
  }

  /** Episodes begun so far. */
  get episodes(): number {
    return this.#episodes;
  }

  async #begin(index: number, episode: number, replay?: Float32Array): Promise<void> {
    const { pool, base, task, first } = this.#options;
    const state = { split: "training", index: first + episode } as const;
    const observation = await pool.reset(index, task.name, state, replay);
    const t = replay ? replay.length / base.actionSize : 0;
    const lane: Lane = { index, plan: { task, state, noise: 0 }, t, observation };
    base.begin(lane);
    this.#running[index] = { episode, lane, executed: replay ? [...replay] : [] };
  }

  /** One control step in every lane, after new queries where they are due. */
  async step(): Promise<Round> {
    const { pool, base } = this.#options;
    await base.refresh(this.#running.map(({ lane }) => lane));
    const actions = this.#running.map((_, i) => base.next(i));
    const steps: readonly (Step | undefined)[] = await pool.step(actions);
    const transitions: Row[] = [], ended: boolean[] = [];
    for (const [i, { lane, executed }] of this.#running.entries()) {
      const { observation, terminated, truncated, success } = steps[i]!;
      executed.push(...actions[i]!);
      lane.observation = observation;
      lane.t++;
      const over = terminated || truncated;
      if (over || base.due(i)) transitions.push(this.#transition(lane, { terminated, truncated }));
      if (over) {
        ended.push(success);
        await this.#begin(i, this.#episodes++);
      }
    }
    return { transitions, ended };
  }

  #transition(lane: Lane, { terminated, truncated }: Pick<Step, "terminated" | "truncated">): Row {
    const { base, gamma } = this.#options;
    const { observed, features, w, chunk } = base.query(lane.index)!;
    return {
      ...observed,
      features,
      w,
      action: chunk.subarray(0, base.execute * base.actionSize),
      terminated: [Number(terminated)],
      truncated: [Number(truncated)],
      discount: [gamma ** base.used(lane.index)],
      ...next(base.steering.observe(lane)),
      nextFeatures: base.features(lane),
    };
  }

  /** All state of the lanes: episodes are restored by replaying their actions from the initial state. */
  snapshot(): Tensors {
    const { base } = this.#options;
    const tensors: Tensors = { "lanes/episodes": ndarray([1], Float32Array.of(this.#episodes)) };
    this.#running.forEach(({ episode, executed }, i) => {
      const query = base.query(i);
      const put = (name: string, values: ArrayLike<number>) => {
        tensors[`lanes/${i}/${name}`] = ndarray([values.length], Float32Array.from(values));
      };
      put("actions", executed);
      put("counters", [episode, base.used(i), base.queries(i)]);
      if (!query) return;
      const { observed, ...rest } = query;
      for (const [name, values] of Object.entries(rest)) put(`query/${name}`, values);
      for (const [name, values] of Object.entries(observed)) put(`observed/${name}`, values);
    });
    return tensors;
  }

  async #restore(index: number, snapshot: Tensors): Promise<void> {
    this.#episodes = snapshot["lanes/episodes"]!.data[0]!;
    const at = (name: string) => snapshot[`lanes/${index}/${name}`]?.data;
    const [episode, used, queries] = at("counters")!;
    await this.#begin(index, episode!, at("actions"));
    if (!at("query/w")) return;
    const head = `lanes/${index}/observed/`;
    const observed = Object.fromEntries(
      Object.entries(snapshot).filter(([name]) => name.startsWith(head))
        .map(([name, { data }]) => [name.slice(head.length), data]),
    );
    const query: Query = {
      observed,
      features: at("query/features")!,
      w: at("query/w")!,
      chunk: at("query/chunk")!,
    };
    this.#options.base.restore(index, { query, used: used!, queries: queries! });
  }
}

/** The columns of what was seen under the names of what is seen next: "state" becomes "nextState". */
function next(observed: Record<string, Float32Array>): Row {
  return Object.fromEntries(
    Object.entries(observed).map((
      [name, values],
    ) => [`next${name[0]!.toUpperCase()}${name.slice(1)}`, values]),
  );
}
