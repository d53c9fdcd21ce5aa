/**
 * One lane of a pool: a simulator process, and the episode in it. A process that dies, hangs or sends garbage costs
 * time only: the episode comes back in a fresh one by its key and its actions so far, to the same bytes.
 */
import type { InitialState, Observation, Step, Task } from "./environment.ts";
import type { Frame } from "./libero_frames.ts";
import { readObservation, stateOf } from "./libero_observation.ts";
import {
  type Deadlines,
  LiberoWorker,
  LostWorker,
  Refusal,
  simulatorOf,
  type WorkerCommand,
} from "./libero_worker.ts";

/** What differs between the simulators that lanes run: how they are acted in, and what they send back. */
export interface Robot {
  /** Numbers of an action. */
  readonly actionSize: number;
  /** Whether actions are clipped to [-1, 1] before they are sent and stored. */
  readonly bounded: boolean;
  /** The observation in a reply; `names` are those of the objects, in the order of the state. */
  readonly read: (frame: Frame, task: Task, names: readonly string[]) => Observation;
}

/** LIBERO's arm. */
export const liberoRobot: Robot = {
  actionSize: 7,
  bounded: true,
  read: (frame, task, names) => readObservation(frame, task, names),
};

/** Processes that may fail in a row on the same request before it is given up. */
const attempts = 4;

/** Version of the protocol that this side speaks. */
const protocolVersion = 1;

/** What a lane needs to start processes. */
export interface LaneOptions {
  /** How a process is started. */
  readonly command: WorkerCommand;
  /** What each is told first: suite, root of the data, cameras. */
  readonly open: Readonly<Record<string, unknown>>;
  /** What acts; LIBERO's arm unless told. */
  readonly robot?: Robot;
  /** Steps of doing nothing after a reset. */
  readonly settle: number;
  /** Replaces the usual deadlines in tests. */
  readonly deadlines?: Deadlines;
  /** Hears of processes that were lost. */
  readonly note: (line: string) => void;
}

/** The episode of a lane: its key and what was done in it. */
interface Episode {
  readonly task: Task;
  readonly state: InitialState;
  readonly seed: number;
  /** All actions so far. */
  readonly actions: Float32Array[];
  /** Names of the objects in the order of the state. */
  names: readonly string[];
  /** The numbers of the latest observation. */
  latest: Float64Array;
  /** Whether it can go on. */
  running: boolean;
}

/** A reply, read. */
interface Reply {
  readonly observation: Observation;
  readonly numbers: Float64Array;
  readonly success: boolean;
}

/** One environment in its own process. */
export class LiberoLane {
  readonly #index: number;
  readonly #options: LaneOptions;
  readonly #robot: Robot;
  /** Name of the simulator, for messages. */
  readonly #simulator: string;
  #worker: LiberoWorker | undefined;
  /** The process that holds the episode as it stands. */
  #holder: LiberoWorker | undefined;
  #episode: Episode | undefined;
  #closed = false;

  constructor(index: number, options: LaneOptions) {
    this.#index = index;
    this.#options = options;
    this.#robot = options.robot ?? liberoRobot;
    this.#simulator = simulatorOf(options.command).name;
  }

  /** Whether it can take actions. */
  get running(): boolean {
    return this.#episode?.running ?? false;
  }

  /** Number of its process, for tests that harm it; undefined while there is none. */
  get pid(): number | undefined {
    return this.#worker?.pid;
  }

  /** Starts the process, so that a broken installation is found before any episode. */
  async start(): Promise<void> {
    await this.#persist("start", () => Promise.resolve());
  }

  /** Starts an episode and replays `replay`, [n * 7]. */
  async reset(task: Task, state: InitialState, seed: number, replay: Float32Array): Promise<Observation> {
    this.#episode = undefined;
    const { actionSize } = this.#robot;
    const actions = Array.from(
      { length: replay.length / actionSize },
      (_, i) => this.#taken(replay.subarray(i * actionSize, (i + 1) * actionSize)),
    );
    if (actions.length > task.maxSteps) {
      throw new Error(
        `Cannot replay ${actions.length} actions of ${task.name}: its episodes end after ${task.maxSteps} steps`,
      );
    }
    const none = { names: [], latest: new Float64Array(), running: true };
    const episode: Episode = { task, state, seed, actions, ...none };
    const reply = await this.#persist("reset", (worker) => this.#begin(worker, episode));
    this.#episode = episode;
    // A start that counts as solved ends with its first step, as in LIBERO; after a replay the last step has told.
    this.#took(episode, reply, actions.length > 0 && reply.success);
    return reply.observation;
  }

  /** Advances the episode by one control step. */
  async step(action: Float32Array): Promise<Step> {
    const episode = this.#episode!;
    const taken = this.#taken(action);
    const reply = await this.#persist("step", async (worker) => {
      if (this.#holder !== worker) await this.#restore(worker, episode);
      this.#holder = undefined; // between two states until the reply is read
      const frame = await worker.request("step", { hash: false }, {
        action: { shape: [taken.length], data: taken },
      });
      const read = this.#read(frame, episode);
      this.#holder = worker;
      return read;
    });
    episode.actions.push(taken);
    const { observation, success } = reply;
    return { observation, success, ...this.#took(episode, reply, success) };
  }

  /** Ends the process. Whatever still waits for it is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.close();
  }

  #took(episode: Episode, { numbers }: Reply, success: boolean): Pick<Step, "terminated" | "truncated"> {
    episode.latest = numbers;
    const truncated = !success && episode.actions.length >= episode.task.maxSteps;
    episode.running = !success && !truncated;
    return { terminated: success, truncated };
  }

  /** Brings an episode to where its actions led, in any process. */
  async #begin(worker: LiberoWorker, episode: Episode): Promise<Reply> {
    const { task, state: { split, index }, seed, actions } = episode;
    const { actionSize } = this.#robot;
    const replay = new Float32Array(actions.length * actionSize);
    actions.forEach((action, i) => replay.set(action, i * actionSize));
    this.#holder = undefined;
    const frame = await worker.request(
      "reset",
      { task: task.name, split, index, seed, settle: this.#options.settle, hash: false },
      actions.length > 0 ? { replay: { shape: [actions.length, actionSize], data: replay } } : {},
    );
    const { objects, done_replay } = frame.header;
    if (!Array.isArray(objects) || done_replay !== actions.length) {
      throw new LostWorker("garbage instead of a reset's reply");
    }
    episode.names = objects;
    const reply = this.#read(frame, episode);
    this.#holder = worker;
    return reply;
  }

  /** Brings the running episode into a fresh process. */
  async #restore(worker: LiberoWorker, episode: Episode): Promise<void> {
    const { numbers } = await this.#begin(worker, episode);
    const { task, state, latest } = episode;
    if (numbers.length === latest.length && numbers.every((x, i) => Object.is(x, latest[i]))) return;
    throw new Error(
      `Cannot bring back ${state.split} state ${state.index} of ${task.name}: the same actions led elsewhere in a ` +
        "fresh process, this simulator is not reproducible",
    );
  }

  /** Does `f` in the lane's process, and again in a fresh one when the process is lost meanwhile. */
  async #persist<T>(what: string, f: (worker: LiberoWorker) => Promise<T>): Promise<T> {
    for (let failures = 1;; failures++) {
      try {
        return await f(await this.#ready());
      } catch (error) {
        if (!(error instanceof LostWorker)) throw error;
        await this.#worker?.kill();
        this.#worker = undefined;
        if (this.#closed) throw new Error(`Cannot ${what} lane ${this.#index}: its pool was closed`);
        const line =
          `Lost the ${this.#simulator} process of lane ${this.#index} at ${what}: ${error.message}`;
        if (failures >= attempts) {
          throw new Error(
            `Cannot go on with ${this.#simulator}: ${attempts} processes of lane ${this.#index} failed in a row at ${what}, ` +
              `the last: ${error.message}`,
            { cause: error },
          );
        }
        this.#options.note(line);
      }
    }
  }

  /** The lane's process, started and told its suite. */
  async #ready(): Promise<LiberoWorker> {
    if (this.#closed) throw new LostWorker("it was not started");
    if (this.#worker) return this.#worker;
    const worker = this.#worker = new LiberoWorker(this.#options.command, this.#options.deadlines);
    try {
      const { header: { protocol } } = await worker.request("hello");
      if (protocol !== protocolVersion) {
        throw new Refusal(
          `Cannot talk to the ${this.#simulator} worker: it speaks protocol ${protocol}, wanted ${protocolVersion}; take python/ ` +
            "and envs/ from one commit",
        );
      }
      await worker.request("open", this.#options.open);
      return worker;
    } catch (error) {
      await worker.kill();
      if (this.#worker === worker) this.#worker = undefined;
      throw error;
    }
  }

  #read(frame: Frame, { task, names }: Episode): Reply {
    const { success } = frame.header;
    if (typeof success !== "boolean") throw new LostWorker("garbage instead of a success");
    return { observation: this.#robot.read(frame, task, names), numbers: stateOf(frame), success };
  }

  /** The action as the simulator gets it, in memory of its own: within [-1, 1] where that is the simulator's range. */
  #taken(action: Float32Array): Float32Array {
    return this.#robot.bounded ? action.map((x) => Math.min(1, Math.max(-1, x))) : action.slice();
  }
}
