/** Lanes that learn: endless training episodes, the base's actions beside the executed ones, transitions as they come. */
import type { Normalization } from "../data/normalization.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Lanes, Step, Task } from "../envs/environment.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";
import { learnerState } from "./residual_actor.ts";
import type { ChunkCursor } from "./open_loop.ts";
import type { Row } from "./recording.ts";
import type { Actor, Lane } from "./rollout.ts";

const ACTION = 7;

/** Base actions in lanes; `ChunkedBase` is one, `ZeroBase` another. */
export interface BaseActions {
  /** An episode starts in `lane`. */
  begin(lane: Lane): void;
  /** Gets ready for `action` in every occupied lane; asks for new chunks where they are due. */
  refresh(lanes: readonly (Lane | undefined)[]): Promise<void>;
  /** The base action of a lane at this control step, [7]. */
  action(lane: number): Float32Array;
  /** Position within the executed part of the chunk, in [0, 1). */
  phase(lane: number): number;
  /** Moves a lane on by one control step. */
  advance(lane: number): void;
  /** The lane's place in its chunk; write to it to restore a lane. */
  cursor(lane: number): ChunkCursor;
}

/** What a learner sees in a lane, at a place of the base's chunk: the numbers of its state. */
export type See = (lane: Lane, phase: number) => Float32Array;

/** A base that acts by itself, too, and is closed by whoever opened it. */
export type OpenedBase = BaseActions & Actor & AsyncDisposable;
/** Opens a base for the lanes of a stage; its sessions, if it has any, are opened as told or as others that act are. */
export type OpenBase = (session?: SessionOptions) => Promise<OpenedBase>;

/** How an online phase explores. */
export interface Exploration {
  /** The task to learn. */
  readonly task: Task;
  /** Seed of the probing prefixes. */
  readonly seed: number;
  /** Training initial state of the first episode; later ones count on from it. */
  readonly first: number;
  /** Share of episodes that begin with a probing prefix of the base, which is never stored. */
  readonly probing: number;
  /** Longest probing prefix as a share of the step budget. */
  readonly probingLength: number;
}

interface Running {
  readonly episode: number;
  readonly probe: number;
  readonly lane: Lane;
  readonly executed: number[];
  state: Float32Array;
  base: Float32Array;
}

/** What one round of control steps brought. */
export interface Round {
  /** What the learner's actions led to; the steps of probing prefixes are left out. */
  readonly transitions: readonly Row[];
  /** Success of each episode that ended. */
  readonly ended: readonly boolean[];
}

/** The lanes of one online phase. */
export class OnlineLanes {
  readonly #pool: Lanes;
  readonly #base: BaseActions;
  readonly #see: See;
  readonly #exploration: Exploration;
  readonly #running: Running[] = [];
  #episodes = 0;

  private constructor(pool: Lanes, base: BaseActions, see: See, exploration: Exploration) {
    this.#pool = pool;
    this.#base = base;
    this.#see = see;
    this.#exploration = exploration;
  }

  /**
   * Starts an episode in each of `size` lanes, or continues those of a `snapshot`.
   *
   * @param options.see what a learner sees; left out: the state under `scale`. It is asked once for each control step of a
   * lane, and never during a probing prefix
   */
  static async open(
    { pool, base, scale, see, exploration, size, snapshot }: {
      pool: Lanes;
      base: BaseActions;
      scale: Normalization;
      see?: See;
      exploration: Exploration;
      size: number;
      snapshot?: Tensors;
    },
  ): Promise<OnlineLanes> {
    const states: See = (lane, phase) => learnerState(lane, phase, scale);
    const lanes = new OnlineLanes(pool, base, see ?? states, exploration);
    for (let index = 0; index < size; index++) {
      if (snapshot) await lanes.#restore(index, snapshot);
      else await lanes.#start(index);
    }
    await base.refresh(lanes.#running.map(({ lane }) => lane));
    for (const running of lanes.#running) lanes.#observe(running);
    return lanes;
  }

  /** Episodes begun so far. */
  get episodes(): number {
    return this.#episodes;
  }

  /** Learner states of all lanes at this control step. */
  get states(): readonly Float32Array[] {
    return this.#running.map(({ state }) => state);
  }
  /** Base actions of all lanes at this control step, [7] each. */
  get bases(): readonly Float32Array[] {
    return this.#running.map(({ base }) => base);
  }

  async #begin(index: number, episode: number, replay?: Float32Array): Promise<Running> {
    const { task, seed, first, probing, probingLength } = this.#exploration;
    const state = { split: "training", index: first + episode } as const;
    const draw = stream(seed, "probe", episode);
    const length = draw.integer(Math.max(1, Math.floor(probingLength * task.maxSteps) + 1));
    const probe = draw.uniform() < probing ? length : 0;
    const observation = await this.#pool.reset(index, task.name, state, replay);
    const t = replay ? replay.length / ACTION : 0;
    const lane: Lane = { index, plan: { task, state, noise: 0 }, t, observation };
    this.#base.begin(lane);
    const empty = new Float32Array(0);
    const executed = replay ? [...replay] : [];
    return this.#running[index] = { episode, probe, lane, executed, state: empty, base: empty };
  }

  async #start(index: number): Promise<void> {
    await this.#begin(index, this.#episodes++);
  }

  #observe(running: Running): void {
    const { lane } = running;
    // A probing lane takes the base's actions, whatever the learner would see.
    if (lane.t >= running.probe) running.state = this.#see(lane, this.#base.phase(lane.index));
    running.base = this.#base.action(lane.index).slice();
  }

  /**
   * One control step in every lane. A lane in its probing prefix executes the base's action; its steps are no
   * transitions. `actions` holds the learner's choice, [lanes, 7]; left out, the base acts in all lanes.
   */
  async step(actions?: Float32Array): Promise<Round> {
    const executed = this.#running.map(({ lane: { t }, probe, base }, i) =>
      actions && t >= probe ? actions.slice(i * ACTION, (i + 1) * ACTION) : base
    );
    const steps: readonly (Step | undefined)[] = await this.#pool.step(executed);
    const before = this.#running.map(({ state, base, lane: { t }, probe }) => ({
      state,
      base,
      stored: t >= probe,
    }));
    this.#running.forEach(({ lane, executed: done }, i) => {
      done.push(...executed[i]!);
      lane.observation = steps[i]!.observation;
      lane.t++;
      this.#base.advance(i);
    });
    // A truncated step bootstraps, so it too needs the base's action in the state it led to.
    await this.#base.refresh(this.#running.map(({ lane }, i) => steps[i]!.terminated ? undefined : lane));
    const transitions: Row[] = [], ended: boolean[] = [];
    for (const [i, running] of this.#running.entries()) {
      const { terminated, truncated, success } = steps[i]!;
      const { state, base, stored } = before[i]!;
      if (!terminated) this.#observe(running);
      else if (stored) running.state = this.#see(running.lane, 0);
      if (stored) {
        transitions.push({
          state,
          base,
          action: executed[i]!,
          terminated: [Number(terminated)],
          truncated: [Number(truncated)],
          nextState: running.state,
          nextBase: running.base,
        });
      }
      if (terminated || truncated) {
        ended.push(success);
        await this.#start(i);
      }
    }
    if (ended.length > 0) {
      await this.#base.refresh(this.#running.map(({ lane }) => lane.t === 0 ? lane : undefined));
      for (const running of this.#running) if (running.lane.t === 0) this.#observe(running);
    }
    return { transitions, ended };
  }

  /** All state of the lanes: episodes are restored by replaying their actions from the initial state. */
  snapshot(): Tensors {
    const tensors: Tensors = { "lanes/episodes": ndarray([1], Float32Array.of(this.#episodes)) };
    this.#running.forEach(({ episode, executed }, i) => {
      const { chunk, used, queries } = this.#base.cursor(i);
      tensors[`lanes/${i}/actions`] = ndarray([executed.length], Float32Array.from(executed));
      tensors[`lanes/${i}/chunk`] = ndarray([chunk.length], chunk);
      tensors[`lanes/${i}/counters`] = ndarray([3], Float32Array.of(episode, used, queries));
    });
    return tensors;
  }

  async #restore(index: number, snapshot: Tensors): Promise<void> {
    this.#episodes = snapshot["lanes/episodes"]!.data[0]!;
    const [episode, used, queries] = snapshot[`lanes/${index}/counters`]!.data;
    await this.#begin(index, episode!, snapshot[`lanes/${index}/actions`]!.data);
    Object.assign(this.#base.cursor(index), {
      chunk: snapshot[`lanes/${index}/chunk`]!.data,
      used: used!,
      queries: queries!,
    });
  }
}

/** No base at all: zero actions, for a learner from scratch. */
export class ZeroBase implements BaseActions {
  readonly #zero = new Float32Array(ACTION);
  readonly #cursor: ChunkCursor = { chunk: new Float32Array(0), used: 0, queries: 0 };
  begin(): void {}
  refresh(): Promise<void> {
    return Promise.resolve();
  }
  action(): Float32Array {
    return this.#zero;
  }
  phase(): number {
    return 0;
  }
  advance(): void {}
  cursor(): ChunkCursor {
    return this.#cursor;
  }
}
