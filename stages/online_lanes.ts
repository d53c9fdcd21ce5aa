/** Lanes that learn: endless training episodes, the base's actions beside the executed ones, transitions as they come. */
import type { Normalization } from "../data/normalization.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Lanes, Task } from "../envs/environment.ts";
import { stream } from "../random.ts";
import { learnerState } from "./residual_actor.ts";
import type { ChunkCursor } from "./open_loop.ts";
import type { Row } from "./recording.ts";
import type { Actor, Lane } from "./rollout.ts";
import { type Place, type Round, type Start, TrainingLanes } from "./training_lanes.ts";

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

/** What is seen and proposed in a lane. */
interface Shown {
  /** Steps of the probing prefix. */
  readonly probe: number;
  state: Float32Array;
  base: Float32Array;
}

/** The lanes of one online phase. */
export class OnlineLanes extends TrainingLanes {
  readonly #base: BaseActions;
  readonly #see: See;
  readonly #exploration: Exploration;
  readonly #shown: Shown[] = [];

  private constructor(pool: Lanes, base: BaseActions, see: See, exploration: Exploration) {
    super({ ...exploration, pool }, ACTION);
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
    { pool, base, scale, see, exploration, ...start }: Start & {
      pool: Lanes;
      base: BaseActions;
      scale: Normalization;
      see?: See;
      exploration: Exploration;
    },
  ): Promise<OnlineLanes> {
    const states: See = (lane, phase) => learnerState(lane, phase, scale);
    const opened = new OnlineLanes(pool, base, see ?? states, exploration);
    await opened.start(start);
    const { lanes } = opened;
    await base.refresh(lanes);
    for (const lane of lanes) opened.#observe(lane);
    return opened;
  }

  /** Learner states of all lanes at this control step. */
  get states(): readonly Float32Array[] {
    return this.#shown.map(({ state }) => state);
  }
  /** Base actions of all lanes at this control step, [7] each. */
  get bases(): readonly Float32Array[] {
    return this.#shown.map(({ base }) => base);
  }

  protected override begun(lane: Lane, episode: number): void {
    const { task, seed, probing, probingLength } = this.#exploration;
    const draw = stream(seed, "probe", episode);
    const length = draw.integer(Math.max(1, Math.floor(probingLength * task.maxSteps) + 1));
    const probe = draw.uniform() < probing ? length : 0;
    this.#base.begin(lane);
    const empty = new Float32Array(0);
    this.#shown[lane.index] = { probe, state: empty, base: empty };
  }

  #observe(lane: Lane): void {
    const shown = this.#shown[lane.index]!;
    // A probing lane takes the base's actions, whatever the learner would see.
    if (lane.t >= shown.probe) shown.state = this.#see(lane, this.#base.phase(lane.index));
    shown.base = this.#base.action(lane.index).slice();
  }

  /**
   * One control step in every lane. A lane in its probing prefix executes the base's action; its steps are no
   * transitions. `actions` holds the learner's choice, [lanes, 7]; left out, the base acts in all lanes.
   */
  async step(actions?: Float32Array): Promise<Round> {
    const { lanes } = this;
    const before = this.#shown.map(({ state, base, probe }, i) => ({
      state,
      base,
      stored: lanes[i]!.t >= probe,
    }));
    const executed = before.map(({ base, stored }, i) =>
      actions && stored ? actions.slice(i * ACTION, (i + 1) * ACTION) : base
    );
    const steps = await this.execute(executed);
    for (const { index } of lanes) this.#base.advance(index);
    // A truncated step bootstraps, so it too needs the base's action in the state it led to.
    await this.#base.refresh(lanes.map((lane, i) => steps[i]!.terminated ? undefined : lane));
    const transitions: Row[] = [], ended: boolean[] = [];
    for (const [i, { terminated, truncated, success }] of steps.entries()) {
      const { state, base, stored } = before[i]!, lane = lanes[i]!, shown = this.#shown[i]!;
      if (!terminated) this.#observe(lane);
      else if (stored) shown.state = this.#see(lane, 0);
      if (stored) {
        transitions.push({
          state,
          base,
          action: executed[i]!,
          terminated: [Number(terminated)],
          truncated: [Number(truncated)],
          nextState: shown.state,
          nextBase: shown.base,
        });
      }
      if (terminated || truncated) {
        ended.push(success);
        await this.begin(i);
      }
    }
    if (ended.length > 0) {
      const fresh = this.lanes.map((lane) => lane.t === 0 ? lane : undefined);
      await this.#base.refresh(fresh);
      for (const lane of fresh) if (lane) this.#observe(lane);
    }
    return { transitions, ended };
  }

  protected override place(lane: number): Place {
    const { chunk, used, queries } = this.#base.cursor(lane);
    return { used, queries, columns: { chunk } };
  }

  protected override restore({ index }: Lane, { columns, ...counters }: Place<Float32Array>): void {
    Object.assign(this.#base.cursor(index), { chunk: columns.chunk, ...counters });
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
