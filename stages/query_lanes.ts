/** Lanes that learn from query to query: endless training episodes of a steered policy, one transition a query. */
import type { Step } from "../envs/environment.ts";
import type { Row } from "./recording.ts";
import type { Lane } from "./rollout.ts";
import type { Query, Steering } from "./steered_base.ts";
import {
  columnsOf,
  type Place,
  type Round,
  type Start,
  type TrainingEpisodes,
  TrainingLanes,
} from "./training_lanes.ts";

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

/** What the lanes are made of. */
export interface QueryLanesOptions extends TrainingEpisodes, Start {
  /** The policy and what steers it. */
  readonly base: SteeredChunks;
  /** Discount of a control step. */
  readonly gamma: number;
}

/**
 * The lanes of one steered online phase. A transition goes from a query to the next one, or to the end of the episode
 * where that comes first: "w", "features" and "action" (the executed length of the chunk) of the query, "discount"
 * γ^k for the k steps really executed, "terminated" only on success, and what the learner saw, first and then, e.g.
 * "state" and "nextState"; likewise "nextFeatures".
 */
export class QueryLanes extends TrainingLanes {
  readonly #base: SteeredChunks;
  readonly #gamma: number;

  private constructor(options: QueryLanesOptions) {
    super(options, options.base.actionSize);
    this.#base = options.base;
    this.#gamma = options.gamma;
  }

  /** Starts an episode in each lane, or continues those of a snapshot. */
  static async open(options: QueryLanesOptions): Promise<QueryLanes> {
    const lanes = new QueryLanes(options);
    await lanes.start(options);
    return lanes;
  }

  protected override begun(lane: Lane): void {
    this.#base.begin(lane);
  }

  /** One control step in every lane, after new queries where they are due. */
  async step(): Promise<Round> {
    const { lanes } = this;
    await this.#base.refresh(lanes);
    const steps = await this.execute(lanes.map((_, i) => this.#base.next(i)));
    const transitions: Row[] = [], ended: boolean[] = [];
    for (const [i, step] of steps.entries()) {
      const over = step.terminated || step.truncated;
      if (over || this.#base.due(i)) transitions.push(this.#transition(lanes[i]!, step));
      if (over) {
        ended.push(step.success);
        await this.begin(i);
      }
    }
    return { transitions, ended };
  }

  #transition(lane: Lane, { terminated, truncated }: Pick<Step, "terminated" | "truncated">): Row {
    const base = this.#base, gamma = this.#gamma;
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

  protected override place(lane: number): Place {
    const base = this.#base, query = base.query(lane);
    const named = (head: string, values: Readonly<Record<string, Float32Array>>) =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [`${head}/${name}`, value]));
    const { observed, ...rest } = query ?? { observed: {} };
    const columns = { ...named("query", rest), ...named("observed", observed) };
    return { used: base.used(lane), queries: base.queries(lane), columns };
  }

  protected override restore({ index }: Lane, { columns, ...counters }: Place<Float32Array>): void {
    if (!columns["query/w"]) return;
    const { features, w, chunk } = columnsOf(columns, "query/");
    const query: Query = {
      observed: columnsOf(columns, "observed/"),
      features: features!,
      w: w!,
      chunk: chunk!,
    };
    this.#base.restore(index, { query, ...counters });
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
