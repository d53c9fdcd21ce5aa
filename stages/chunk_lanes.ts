/** Lanes that learn on chunks: endless training episodes, each of which becomes rows of a replay when it ends. */
import type { ChunkForm } from "../data/chunk_transitions.ts";
import type { Lanes, Step, Task } from "../envs/environment.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import type { BestOfN } from "./best_of_n_lanes.ts";
import { chunkRows, type Seen, seen, type View } from "./chunk_rows.ts";
import type { Round } from "./online_lanes.ts";
import type { Row } from "./recording.ts";
import type { Lane } from "./rollout.ts";

const ACTION = 7;

interface Running {
  readonly episode: number;
  readonly lane: Lane;
  readonly executed: number[];
  /** What was seen before each action, and now. */
  readonly steps: Seen[];
}

/** What the lanes are made of. */
export interface ChunkLanesOptions {
  /** The environments. */
  readonly pool: Lanes;
  /** What acts. */
  readonly actor: BestOfN;
  /** The task to learn. */
  readonly task: Task;
  /** Training initial state of the first episode; later ones count on from it. */
  readonly first: number;
  /** Lanes. */
  readonly size: number;
  /** What learners see. */
  readonly view: View;
  /** How episodes become chunk transitions. */
  readonly form: ChunkForm;
  /** Lanes to continue, as `snapshot` gave them. */
  readonly snapshot?: Tensors;
}

/** The lanes of one online phase; transitions are the rows of `chunkRows`, all of an episode at its end. */
export class ChunkLanes {
  readonly #options: ChunkLanesOptions;
  readonly #running: Running[] = [];
  #episodes = 0;

  private constructor(options: ChunkLanesOptions) {
    this.#options = options;
  }

  /** Starts an episode in each lane, or continues those of a snapshot. */
  static async open(options: ChunkLanesOptions): Promise<ChunkLanes> {
    const lanes = new ChunkLanes(options);
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

  async #begin(index: number, episode: number, replay?: Float32Array): Promise<Running> {
    const { pool, actor, task, first, view } = this.#options;
    const state = { split: "training", index: first + episode } as const;
    const observation = await pool.reset(index, task.name, state, replay);
    const t = replay ? replay.length / ACTION : 0;
    const lane: Lane = { index, plan: { task, state, noise: 0 }, t, observation };
    actor.begin(lane);
    const executed = replay ? [...replay] : [];
    return this.#running[index] = { episode, lane, executed, steps: [seen(lane, view)] };
  }

  /** One control step in every lane, after new chunks where they are due. */
  async step(): Promise<Round> {
    const { pool, actor, view } = this.#options;
    await actor.refresh(this.#running.map(({ lane }) => lane));
    const actions = this.#running.map((_, i) => actor.next(i));
    const results: readonly (Step | undefined)[] = await pool.step(actions);
    const transitions: Row[] = [], ended: boolean[] = [];
    for (const [i, running] of this.#running.entries()) {
      const { observation, terminated, truncated, success } = results[i]!;
      running.executed.push(...actions[i]!);
      running.lane.observation = observation;
      running.lane.t++;
      running.steps.push(seen(running.lane, view));
      if (!terminated && !truncated) continue;
      transitions.push(...this.#rows(running, success));
      ended.push(success);
      await this.#begin(i, this.#episodes++);
    }
    return { transitions, ended };
  }

  #rows({ lane: { plan, t }, executed, steps }: Running, success: boolean): Iterable<Row> {
    const action = ndarray([t, ACTION], Float32Array.from(executed));
    const { name: task, roles } = plan.task;
    const episode = { task, roles, ...plan.state, success, length: t, columns: { action }, tags: {} };
    return chunkRows(episode, steps, this.#options.form);
  }

  /** All state of the lanes: episodes are restored by replaying their actions from the initial state. */
  snapshot(): Tensors {
    const tensors: Tensors = { "lanes/episodes": ndarray([1], Float32Array.of(this.#episodes)) };
    this.#running.forEach(({ episode, executed, steps }, i) => {
      const { chunk, used, queries } = this.#options.actor.cursor(i);
      const put = (name: string, values: ArrayLike<number>) => {
        tensors[`lanes/${i}/${name}`] = ndarray([values.length], Float32Array.from(values));
      };
      put("actions", executed);
      put("chunk", chunk);
      put("counters", [episode, used, queries]);
      for (const column of ["state", "features"] as const) {
        put(column, steps.flatMap((step) => [...step[column]]));
      }
    });
    return tensors;
  }

  async #restore(index: number, snapshot: Tensors): Promise<void> {
    this.#episodes = snapshot["lanes/episodes"]!.data[0]!;
    const at = (name: string) => snapshot[`lanes/${index}/${name}`]!.data;
    const [episode, used, queries] = at("counters");
    const { steps, lane: { t } } = await this.#begin(index, episode!, at("actions"));
    const row = (column: "state" | "features", i: number) => {
      const width = at(column).length / (t + 1);
      return at(column).slice(i * width, (i + 1) * width);
    };
    const earlier = Array.from({ length: t }, (_, i) => ({
      state: row("state", i),
      features: row("features", i),
    }));
    steps.unshift(...earlier);
    Object.assign(this.#options.actor.cursor(index), { chunk: at("chunk"), used: used!, queries: queries! });
  }
}
