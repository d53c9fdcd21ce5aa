/** Lanes of endless training episodes: which one each lane is in, what was done in it, and how an interrupted one comes back. */
import type { Lanes, Step, Task } from "../envs/environment.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import type { Row } from "./recording.ts";
import type { Lane } from "./rollout.ts";

/** What one round of control steps brought. */
export interface Round {
  /** What the learner's actions led to; the steps of probing prefixes are left out. */
  readonly transitions: readonly Row[];
  /** Success of each episode that ended. */
  readonly ended: readonly boolean[];
}

/** What the lanes run. */
export interface TrainingEpisodes {
  /** The environments. */
  readonly pool: Lanes;
  /** The task to learn. */
  readonly task: Task;
  /** Training initial state of the first episode; later ones count on from it. */
  readonly first: number;
}

/** How many lanes, and where they stand. */
export interface Start {
  /** Lanes. */
  readonly size: number;
  /** Lanes to continue, as `snapshot` gave them. */
  readonly snapshot?: Tensors | undefined;
}

/** An episode under way. */
interface Running {
  readonly episode: number;
  readonly lane: Lane;
  readonly executed: number[];
}

/** Where a lane stands in what it executes, beside its actions. */
export interface Place<Values extends ArrayLike<number> = ArrayLike<number>> {
  /** Actions of its chunk that were executed. */
  readonly used: number;
  /** Chunks asked for in this episode. */
  readonly queries: number;
  /** What else brings it back, by name. */
  readonly columns: Readonly<Record<string, Values>>;
}

/** The lanes; what acts in them and what is learned from is the business of those that extend it. */
export abstract class TrainingLanes {
  readonly #run: TrainingEpisodes;
  readonly #actionSize: number;
  readonly #running: Running[] = [];
  #episodes = 0;

  /** Lanes whose actions have `actionSize` numbers; none runs before `start`. */
  protected constructor({ pool, task, first }: TrainingEpisodes, actionSize: number) {
    this.#run = { pool, task, first };
    this.#actionSize = actionSize;
  }

  /** An episode, by its number, starts in a lane; one that comes back has its time already. */
  protected abstract begun(lane: Lane, episode: number): void;
  /** Where a lane stands. */
  protected abstract place(lane: number): Place;
  /** Puts a lane back to where it stood, after `begun`. */
  protected abstract restore(lane: Lane, place: Place<Float32Array>): void;

  /** Episodes begun so far. */
  get episodes(): number {
    return this.#episodes;
  }

  /** The lanes at this control step. */
  protected get lanes(): readonly Lane[] {
    return this.#running.map(({ lane }) => lane);
  }

  /** Starts an episode in each lane, or continues those of a snapshot. */
  protected async start({ size, snapshot }: Start): Promise<void> {
    for (let index = 0; index < size; index++) {
      if (!snapshot) {
        await this.begin(index);
        continue;
      }
      this.#episodes = snapshot["lanes/episodes"]!.data[0]!;
      const stored = columnsOf(snapshot, `lanes/${index}/`);
      const { actions, counters, ...columns } = Object.fromEntries(
        Object.entries(stored).map(([name, { data }]) => [name, data]),
      );
      const [episode, used, queries] = counters!;
      const lane = await this.#reset(index, episode!, actions);
      this.restore(lane, { used: used!, queries: queries!, columns });
    }
  }

  /** Starts the next episode in a lane. */
  protected async begin(index: number): Promise<void> {
    await this.#reset(index, this.#episodes++);
  }

  async #reset(index: number, episode: number, replay?: Float32Array): Promise<Lane> {
    const { pool, task, first } = this.#run;
    const state = { split: "training", index: first + episode } as const;
    const observation = await pool.reset(index, task.name, state, replay);
    const t = replay ? replay.length / this.#actionSize : 0;
    const lane: Lane = { index, plan: { task, state, noise: 0 }, t, observation };
    this.#running[index] = { episode, lane, executed: replay ? [...replay] : [] };
    this.begun(lane, episode);
    return lane;
  }

  /** One control step in every lane. */
  protected async execute(actions: readonly Float32Array[]): Promise<readonly Step[]> {
    const steps = await this.#run.pool.step(actions);
    return this.#running.map(({ lane, executed }, i) => {
      const step = steps[i]!;
      executed.push(...actions[i]!);
      lane.observation = step.observation;
      lane.t++;
      return step;
    });
  }

  /** What was done in a lane's episode so far, [t · A]. */
  protected executed(lane: number): Float32Array {
    return Float32Array.from(this.#running[lane]!.executed);
  }

  /** All state of the lanes: episodes are restored by replaying their actions from the initial state. */
  snapshot(): Tensors {
    const tensors: Tensors = { "lanes/episodes": ndarray([1], Float32Array.of(this.#episodes)) };
    this.#running.forEach(({ episode, executed }, i) => {
      const { used, queries, columns } = this.place(i);
      const all = { actions: executed, counters: [episode, used, queries], ...columns };
      for (const [name, values] of Object.entries(all)) {
        tensors[`lanes/${i}/${name}`] = ndarray([values.length], Float32Array.from(values));
      }
    });
    return tensors;
  }
}

/** The columns whose names begin with `head`, by the rest of their names. */
export function columnsOf<T>(columns: Readonly<Record<string, T>>, head: string): Record<string, T> {
  const found = Object.entries(columns).filter(([name]) => name.startsWith(head));
  return Object.fromEntries(found.map(([name, column]) => [name.slice(head.length), column]));
}
