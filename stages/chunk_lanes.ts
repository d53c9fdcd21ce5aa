/** Lanes that learn on chunks: endless training episodes, each of which becomes rows of a replay when it ends. */
import type { ChunkForm } from "../data/chunk_transitions.ts";
import { ndarray } from "../ndarray.ts";
import type { BestOfN } from "./best_of_n_lanes.ts";
import { chunkRows, type Seen, seen, type View } from "./chunk_rows.ts";
import type { Row } from "./recording.ts";
import type { Lane } from "./rollout.ts";
import {
  type Place,
  type Round,
  type Start,
  type TrainingEpisodes,
  TrainingLanes,
} from "./training_lanes.ts";

const ACTION = 7;

/** What the lanes are made of. */
export interface ChunkLanesOptions extends TrainingEpisodes, Start {
  /** What acts. */
  readonly actor: BestOfN;
  /** What learners see. */
  readonly view: View;
  /** How episodes become chunk transitions. */
  readonly form: ChunkForm;
}

/** The lanes of one online phase; transitions are the rows of `chunkRows`, all of an episode at its end. */
export class ChunkLanes extends TrainingLanes {
  readonly #options: ChunkLanesOptions;
  /** By lane, what was seen before each action, and now. */
  readonly #seen: Seen[][] = [];

  private constructor(options: ChunkLanesOptions) {
    super(options, ACTION);
    this.#options = options;
  }

  /** Starts an episode in each lane, or continues those of a snapshot. */
  static async open(options: ChunkLanesOptions): Promise<ChunkLanes> {
    const lanes = new ChunkLanes(options);
    await lanes.start(options);
    return lanes;
  }

  protected override begun(lane: Lane): void {
    this.#options.actor.begin(lane);
    this.#seen[lane.index] = [seen(lane, this.#options.view)];
  }

  /** One control step in every lane, after new chunks where they are due. */
  async step(): Promise<Round> {
    const { actor, view } = this.#options, { lanes } = this;
    await actor.refresh(lanes);
    const steps = await this.execute(lanes.map((_, i) => actor.next(i)));
    const transitions: Row[] = [], ended: boolean[] = [];
    for (const [i, { terminated, truncated, success }] of steps.entries()) {
      this.#seen[i]!.push(seen(lanes[i]!, view));
      if (!terminated && !truncated) continue;
      transitions.push(...this.#rows(lanes[i]!, success));
      ended.push(success);
      await this.begin(i);
    }
    return { transitions, ended };
  }

  #rows({ index, plan, t }: Lane, success: boolean): Iterable<Row> {
    const action = ndarray([t, ACTION], this.executed(index));
    const { name: task, roles } = plan.task;
    const episode = { task, roles, ...plan.state, success, length: t, columns: { action }, tags: {} };
    return chunkRows(episode, this.#seen[index]!, this.#options.form);
  }

  protected override place(lane: number): Place {
    const { chunk, used, queries } = this.#options.actor.cursor(lane), steps = this.#seen[lane]!;
    const state = steps.flatMap((step) => [...step.state]);
    const features = steps.flatMap((step) => [...step.features]);
    return { used, queries, columns: { chunk, state, features } };
  }

  protected override restore({ index, t }: Lane, { columns, ...counters }: Place<Float32Array>): void {
    const { chunk, state, features } = columns;
    const row = (column: Float32Array, i: number) => {
      const width = column.length / (t + 1);
      return column.slice(i * width, (i + 1) * width);
    };
    const earlier = Array.from({ length: t }, (_, i) => ({
      state: row(state!, i),
      features: row(features!, i),
    }));
    this.#seen[index]!.unshift(...earlier);
    Object.assign(this.#options.actor.cursor(index), { chunk, ...counters });
  }
}
