/** Many LIBERO environments, each in its own process. What a lane computes depends on its episode only. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  assertInitialState,
  type InitialState,
  type Lanes,
  type Observation,
  type Step,
  type Task,
} from "./environment.ts";
import { LiberoLane, liberoRobot, type Robot } from "./libero_lane.ts";
import { type Camera, episodeSeed, type Protocol, type Renderer } from "./libero_protocols.ts";
import type { Deadlines, WorkerCommand } from "./libero_worker.ts";

/** What a pool is opened with. */
export interface LiberoPoolOptions {
  /** Name of the suite. */
  readonly suite: string;
  /** Its tasks by name. */
  readonly tasks: ReadonlyMap<string, Task>;
  /** Folder of the data. */
  readonly root: string;
  /** How a process is started: `workerCommand(python)`. */
  readonly command: WorkerCommand;
  /** Settle steps and seeds. */
  readonly protocol: Protocol;
  /** Cameras to render; without any, a step is some ten times faster. */
  readonly cameras: readonly Camera[];
  /** Environments: processes of some 700 MB each. */
  readonly lanes: number;
  /** How many of them compute at once; no result depends on it. */
  readonly workers: number;
  /** Replaces the usual deadlines in tests. */
  readonly deadlines?: Deadlines;
  /** Hears of processes that were lost and replaced; the default writes to the console, in a stage to its log. */
  readonly note?: (line: string) => void;
}

/** What a pool of any simulator's processes is opened with. */
export interface ProcessPoolOptions {
  /** Name of the suite, for messages. */
  readonly suite: string;
  /** Its tasks by name. */
  readonly tasks: ReadonlyMap<string, Task>;
  /** How a process is started. */
  readonly command: WorkerCommand;
  /** What each is told first. */
  readonly open: Readonly<Record<string, unknown>>;
  /** What acts. */
  readonly robot: Robot;
  /** Steps of doing nothing after a reset. */
  readonly settle: number;
  /** Seed of an episode. */
  readonly seed: (task: string, state: InitialState) => number;
  /** Environments, each a process. */
  readonly lanes: number;
  /** How many of them compute at once; no result depends on it. */
  readonly workers: number;
  /** Replaces the usual deadlines in tests. */
  readonly deadlines?: Deadlines;
  /** Hears of processes that were lost and replaced. */
  readonly note?: (line: string) => void;
}

/** The repository: what Python runs from it is in the simulator's fingerprint, not among the modules of a key. */
const repository = fileURLToPath(new URL("../", import.meta.url));

/** The command that starts a worker of the repository in the interpreter `python`; cameras are drawn by `renderer`. */
export function workerCommand(
  python: string,
  renderer: Renderer = "osmesa",
  module = "libero_worker",
): WorkerCommand {
  return {
    program: python,
    args: ["-u", "-m", module],
    env: {
      PYTHONPATH: join(repository, "python"),
      MUJOCO_GL: renderer,
      PYTHONDONTWRITEBYTECODE: "1",
      PYTHONNOUSERSITE: "1",
      // One thread a process: sums depend on it, and processes share the cores.
      OMP_NUM_THREADS: "1",
      OPENBLAS_NUM_THREADS: "1",
      MKL_NUM_THREADS: "1",
      NUMBA_NUM_THREADS: "1",
    },
  };
}

/** The lanes of a suite. */
export class LiberoPool implements Lanes {
  readonly #options: ProcessPoolOptions;
  readonly #lanes: readonly LiberoLane[];
  readonly #slots: Slots;
  #busy = new Set<number>();

  private constructor(options: ProcessPoolOptions) {
    const { command, open, robot, settle, lanes, workers } = options;
    const note = options.note ?? console.warn;
    const limits = options.deadlines ? { deadlines: options.deadlines } : {};
    this.#options = options;
    this.#slots = new Slots(workers);
    this.#lanes = Array.from(
      { length: lanes },
      (_, i) => new LiberoLane(i, { command, open, robot, settle, note, ...limits }),
    );
  }

  /**
   * Starts the processes of LIBERO. Close the pool with `await using`.
   *
   * @throws {Error} when LIBERO cannot be started here; the message names the mend
   */
  static open({ root, cameras, protocol, ...options }: LiberoPoolOptions): Promise<LiberoPool> {
    const rendered = cameras.map(({ name, width, height }) => [name, width, height]);
    return LiberoPool.start({
      ...options,
      open: { suite: options.suite, root, cameras: rendered, fast: true },
      robot: liberoRobot,
      settle: protocol.settle,
      seed: (task, state) => episodeSeed(protocol, options.suite, task, state),
    });
  }

  /**
   * Starts the processes of any simulator that speaks the worker's protocol.
   *
   * @throws {Error} when it cannot be started here; the message names the mend
   */
  static async start(options: ProcessPoolOptions): Promise<LiberoPool> {
    for (const [name, count] of [["lanes", options.lanes], ["workers", options.workers]] as const) {
      if (!Number.isSafeInteger(count) || count < 1) {
        throw new RangeError(`Cannot open a pool with ${count} ${name}: it needs at least 1`);
      }
    }
    const pool = new LiberoPool(options);
    try {
      // The first one alone: where the simulator is broken, one message is enough.
      for (const lanes of [pool.#lanes.slice(0, 1), pool.#lanes.slice(1)]) {
        await all(lanes.map((lane) => pool.#slots.within(() => lane.start())));
      }
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
    return pool;
  }

  /** Numbers of the processes by lane, for tests that harm them. */
  get pids(): readonly (number | undefined)[] {
    return this.#lanes.map((lane) => lane.pid);
  }

  /**
   * Resets a lane and replays `replay`, [n * A], after it: how an interrupted episode comes back. Lanes may be reset
   * at the same time.
   *
   * @throws {Error} when the task or state does not exist, the replay is too long, or LIBERO fails again and again
   */
  async reset(
    lane: number,
    task: string,
    state: InitialState,
    replay: Float32Array = new Float32Array(),
  ): Promise<Observation> {
    const target = this.#lane(lane);
    const { tasks, suite, robot: { actionSize } } = this.#options;
    const wanted = tasks.get(task);
    if (!wanted) {
      throw new Error(`Cannot find task "${task}": ${suite} has ${[...tasks.keys()].join(", ")}`);
    }
    assertInitialState(state);
    if (replay.length % actionSize !== 0) {
      throw new RangeError(`Cannot replay ${replay.length} numbers: it must be a multiple of ${actionSize}`);
    }
    const seed = this.#options.seed(task, state);
    return await this.#alone(lane, "reset", () => target.reset(wanted, state, seed, replay));
  }

  /** Advances every lane that has an action (by lane; undefined leaves a lane alone) by one control step. */
  async step(actions: readonly (Float32Array | undefined)[]): Promise<(Step | undefined)[]> {
    if (actions.length !== this.#lanes.length) {
      throw new RangeError(
        `Cannot step ${this.#lanes.length} lanes with ${actions.length} actions: one each`,
      );
    }
    actions.forEach((action, i) => action && this.#check(i, action));
    return await all(
      actions.map((action, i) =>
        action ? this.#alone(i, "step", () => this.#lanes[i]!.step(action)) : Promise.resolve(undefined)
      ),
    );
  }

  /** Ends the processes; whatever still waits for them is rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #lane(index: number): LiberoLane {
    const lane = this.#lanes[index];
    if (!lane) {
      throw new RangeError(`Cannot use lane ${index}: the pool has lanes 0 ... ${this.#lanes.length - 1}`);
    }
    return lane;
  }

  #check(index: number, action: Float32Array): void {
    if (!this.#lane(index).running) {
      throw new Error(`Cannot step lane ${index}: it has no running episode, reset it first`);
    }
    const { actionSize } = this.#options.robot;
    if (action.length !== actionSize || !action.every(Number.isFinite)) {
      throw new RangeError(
        `Cannot step lane ${index} with [${action}]: it takes ${actionSize} finite numbers`,
      );
    }
  }

  /** Does one thing at a time with a lane, and at most `workers` things at once with all of them. */
  async #alone<T>(lane: number, what: string, f: () => Promise<T>): Promise<T> {
    if (this.#busy.has(lane)) {
      throw new Error(`Cannot ${what} lane ${lane} while it is at work: await that first`);
    }
    this.#busy.add(lane);
    try {
      return await this.#slots.within(f);
    } finally {
      this.#busy.delete(lane);
    }
  }
}

/** Bounds how many lanes compute at once. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async within<T>(f: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await f();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** Waits for all, then throws the first failure: no lane is left at work behind a caller's back. */
async function all<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(tasks);
  return settled.map((task) => {
    if (task.status === "rejected") throw task.reason;
    return task.value;
  });
}
