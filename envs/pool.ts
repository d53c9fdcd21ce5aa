/**
 * Many environments over a few workers. Lane i lives in worker i % workers; what it computes depends on its task,
 * initial state and actions only, never on the number of workers.
 */
import type { CameraSettings, InitialState, Lanes, Observation, Step } from "./environment.ts";
import { readStep } from "./flat_step.ts";
import {
  actionSize,
  failed,
  finished,
  firstActive,
  type Reply,
  type Request,
  requested,
  sharedBytes,
  type SharedLanes,
  sharedLanes,
  withImages,
} from "./pool_protocol.ts";

/** What a pool knows of a lane. */
interface Lane {
  readonly host: Host;
  readonly slot: number;
  /** Names of the task's objects, once it was reset. */
  objects: readonly string[] | undefined;
  /** Whether it can take actions: after a reset, until the episode ends. */
  running: boolean;
}

/** The lanes of a suite's environments. Usable from the main thread and from within a worker. */
export class Pool implements Lanes {
  readonly #hosts: readonly Host[];
  readonly #lanes: readonly Lane[];
  #stepping = false;

  private constructor(hosts: readonly Host[], lanes: number) {
    this.#hosts = hosts;
    this.#lanes = Array.from({ length: lanes }, (_, i) => ({
      host: hosts[i % hosts.length]!,
      slot: Math.floor(i / hosts.length),
      objects: undefined,
      running: false,
    }));
  }

  /** Starts the workers. Close the pool with `await using`, or they live on. */
  static async open(
    { suite, lanes, workers, cameras = [] }: {
      suite: "tabletop";
      lanes: number;
      workers: number;
      /** What observations hold images of; none unless said. */
      cameras?: readonly CameraSettings[];
    },
  ): Promise<Pool> {
    for (const [name, count] of [["lanes", lanes], ["workers", workers]] as const) {
      if (!Number.isSafeInteger(count) || count < 1) {
        throw new RangeError(`Cannot open a pool with ${count} ${name}: it needs at least 1`);
      }
    }
    const count = Math.min(workers, lanes);
    const hosts = Array.from(
      { length: count },
      (_, i) => new Host(i, Math.ceil((lanes - i) / count), cameras),
    );
    const pool = new Pool(hosts, lanes);
    try {
      await Promise.all(hosts.map((host) => host.open(suite)));
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
    return pool;
  }

  /**
   * Resets a lane and replays `replay`, [n * 7], after it: how an interrupted episode comes back. Lanes may be reset
   * at the same time.
   *
   * @throws {Error} when the task or state does not exist, or the episode ends before the replay does
   */
  async reset(lane: number, task: string, state: InitialState, replay?: Float32Array): Promise<Observation> {
    const target = this.#lane(lane);
    if (this.#stepping) {
      throw new Error(`Cannot reset lane ${lane} while the pool steps: await the step first`);
    }
    if (replay && replay.length % actionSize !== 0) {
      throw new RangeError(`Cannot replay ${replay.length} numbers: it must be a multiple of ${actionSize}`);
    }
    target.running = false;
    const { host, slot } = target;
    target.objects = await host.reset({
      kind: "reset",
      slot,
      task,
      state,
      replay: replay ?? new Float32Array(),
    });
    const step = host.read(slot, target.objects);
    target.running = !step.terminated && !step.truncated;
    return step.observation;
  }

  /** Advances every lane that has an action (by lane; undefined leaves a lane alone) by one control step. */
  async step(actions: readonly (Float32Array | undefined)[]): Promise<(Step | undefined)[]> {
    if (this.#stepping) throw new Error("Cannot step a pool that steps already: await the step first");
    if (actions.length !== this.#lanes.length) {
      throw new RangeError(
        `Cannot step ${this.#lanes.length} lanes with ${actions.length} actions: one each`,
      );
    }
    actions.forEach((action, i) => action && this.#check(i, action));
    this.#stepping = true;
    try {
      for (const host of this.#hosts) host.shared.control.fill(0, firstActive);
      actions.forEach((action, i) => {
        if (!action) return;
        const { host, slot } = this.#lanes[i]!;
        host.shared.actions[slot]!.set(action);
        host.shared.control[firstActive + slot] = 1;
      });
      const busy = this.#hosts.filter(({ shared }) => shared.control.includes(1, firstActive));
      for (const host of busy) host.request();
      for (const host of busy) await host.finish();
    } finally {
      this.#stepping = false;
    }
    return actions.map((action, i) => {
      if (!action) return undefined;
      const lane = this.#lanes[i]!;
      const step = lane.host.read(lane.slot, lane.objects!);
      lane.running = !step.terminated && !step.truncated;
      return step;
    });
  }

  /** Ends the workers; whatever still waits for them is rejected. */
  [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) host.close();
    return Promise.resolve();
  }

  #lane(index: number): Lane {
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
    if (action.length !== actionSize || !action.every(Number.isFinite)) {
      throw new RangeError(
        `Cannot step lane ${index} with [${action}]: it takes ${actionSize} finite numbers`,
      );
    }
  }
}

/** One worker as the pool sees it. */
class Host {
  readonly shared: SharedLanes;
  readonly #index: number;
  readonly #cameras: readonly CameraSettings[];
  readonly #buffer: SharedArrayBuffer;
  readonly #worker: Worker;
  readonly #opened = Promise.withResolvers<void>();
  /** Resets under way, by slot. */
  readonly #resets = new Map<number, PromiseWithResolvers<readonly string[]>>();
  #failure: Error | undefined;
  #stepFailed = Promise.withResolvers<never>();
  #steps = 0;

  constructor(index: number, lanes: number, cameras: readonly CameraSettings[]) {
    this.#index = index;
    this.#cameras = cameras;
    this.#buffer = new SharedArrayBuffer(sharedBytes(lanes, cameras));
    this.shared = sharedLanes(this.#buffer, lanes, cameras);
    this.#worker = new Worker(new URL("./pool_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`Cannot go on with the pool: environment worker ${index} died: ${event.message}`));
    };
    this.#stepFailed.promise.catch(() => {}); // also rejected when nobody steps
    this.#opened.promise.catch(() => {});
  }

  open(suite: "tabletop"): Promise<void> {
    this.#send({
      kind: "open",
      suite,
      buffer: this.#buffer,
      lanes: this.shared.actions.length,
      cameras: this.#cameras,
    });
    return this.#opened.promise;
  }

  reset(request: Request & { kind: "reset" }): Promise<readonly string[]> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#resets.has(request.slot)) {
      return Promise.reject(new Error("Cannot reset a lane that is being reset: await the reset first"));
    }
    const done = Promise.withResolvers<readonly string[]>();
    this.#resets.set(request.slot, done);
    this.#send(request);
    return done.promise;
  }

  /** What the latest step or reset of a lane brought. */
  read(slot: number, objects: readonly string[]): Step {
    return withImages(readStep(this.shared.steps[slot]!, objects), this.#cameras, this.shared.images[slot]!);
  }

  /** Starts a step of the lanes marked active. */
  request(): void {
    if (this.#failure) throw this.#failure;
    this.#steps = (this.#steps + 1) | 0;
    Atomics.store(this.shared.control, requested, this.#steps);
    Atomics.notify(this.shared.control, requested);
  }

  /** Waits for the step that was requested last. */
  async finish(): Promise<void> {
    const { control } = this.shared;
    while (!this.#failure) {
      const done = Atomics.load(control, finished);
      if (done === this.#steps) break;
      const wait = Atomics.waitAsync(control, finished, done);
      if (wait.async) await wait.value;
    }
    if (this.#failure) throw this.#failure;
    if (Atomics.load(control, failed)) await this.#stepFailed.promise;
  }

  close(): void {
    this.#fail(
      new Error(`Cannot go on with the pool: it was closed while worker ${this.#index} was at work`),
    );
    this.#worker.terminate();
  }

  #send(request: Request): void {
    this.#worker.postMessage(request);
  }

  #receive(reply: Reply): void {
    if (reply.kind === "opened") return this.#opened.resolve();
    const reset = this.#resets.get(reply.slot);
    this.#resets.delete(reply.slot);
    if (reply.kind === "reset") return reset?.resolve(reply.objects);
    const error = new Error(reply.message);
    if (reset) reset.reject(error);
    else this.#fail(error);
  }

  /** Rejects whatever waits on this worker, now and later. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#opened.reject(error);
    this.#stepFailed.reject(error);
    for (const reset of this.#resets.values()) reset.reject(error);
    this.#resets.clear();
    Atomics.notify(this.shared.control, finished); // whoever waits for the step looks again
  }
}
