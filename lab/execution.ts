/** One stage in one worker, from start to its outputs in the store, its failure or its interruption. */
import { Worker } from "node:worker_threads";
import type { Json } from "./canonical.ts";
import { firstLine, Interruption, StageError } from "./errors.ts";
import type { Artifact, Budget, Outputs, Progress } from "./stage.ts";
import type { Output } from "./store.ts";

/** Everything a worker needs; it is copied into the worker. */
export interface WorkerTask {
  /** Name of the stage in its graph. */
  readonly name: string;
  /** Key of the outcome, 64 hexadecimal digits. */
  readonly key: string;
  /** URL of the stage's module. */
  readonly entry: string;
  /** Artifacts by role. */
  readonly inputs: Readonly<Record<string, Artifact | readonly Artifact[]>>;
  /** Kinds of the outputs by name. */
  readonly outputs: Outputs;
  /** Parameters as they are in the key. */
  readonly parameters: Json;
  /** Seed of the stage's random streams. */
  readonly seed: number;
  /** ONNX Runtime threads, 1 or more. */
  readonly threads: number;
  /** What its programs run on, a device of the engine. */
  readonly device: string;
  /** Environment workers, 1 or more. */
  readonly workers: number;
  /** Folder of the store that takes the outputs. */
  readonly store: string;
  /** The process's folder for unfinished files in it. */
  readonly temporary: string;
  /** Folder of this key's checkpoint. */
  readonly checkpoints: string;
  /** Seconds between two checkpoints; Infinity for none. */
  readonly checkpointSeconds: number;
  /** The file that takes the stage's log. */
  readonly logPath: string;
  /** Limit of the worker's JavaScript heap, MiB. Typed arrays are outside of it. */
  readonly heap: number;
  /** One Int32, not 0 once the run is being stopped. */
  readonly interrupt: SharedArrayBuffer;
}

/** What a finished stage leaves. */
export interface Finished {
  /** Stored outputs by name. */
  readonly outputs: Readonly<Record<string, Output>>;
  /** Steps of all attempts. */
  readonly budget: Budget;
  /** Seconds over all attempts. */
  readonly seconds: number;
}

/** Messages of a worker to its runner; "done", "failed" or "interrupted" settle the stage, "ended" is the very last. */
export type FromWorker =
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "note"; readonly line: string }
  /** The stage's module and all it imports are loaded. */
  | { readonly type: "loaded" }
  | ({ readonly type: "done" } & Finished)
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "interrupted" }
  /** `heap` is the MiB in use when the worker ended. */
  | { readonly type: "ended"; readonly heap: number };

/** Listeners to a running stage. */
export interface Listener {
  /** The stage tells how far it is. */
  progress(progress: Progress): void;
  /** A line for the person who watches. */
  note(line: string): void;
  /** Called once the stage's code is loaded: a text it resolves to ends the stage. */
  loaded(): Promise<string | undefined>;
}

// The share of its heap a worker holds when memory ran out; it is near 1, and after other ends far below.
const FULL = 0.75;

/**
 * Runs a stage. Cancelling `signal` ends a worker that does not stop by itself.
 *
 * @throws {StageError} when the stage throws, leaves its worker, or runs out of memory
 * @throws {Interruption} when it stopped because of `task.interrupt`
 */
export async function execute(task: WorkerTask, listener: Listener, signal?: AbortSignal): Promise<Finished> {
  // A worker thread with its own heap limit: running out of memory ends the stage, not the run.
  const worker = new Worker(new URL("./stage_worker.ts", import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: task.heap },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Finished>();
  let done = false;
  let heapAtEnd = 0;
  let checked: Promise<unknown> = Promise.resolve();
  const failure = (message: string) => {
    const line = message.replace(/^Cannot /, "cannot ");
    return new StageError(`Cannot run stage "${task.name}": ${line}, see ${task.logPath}`, task.logPath);
  };
  worker.on("message", (message: FromWorker) => {
    if (message.type === "progress") listener.progress(message.progress);
    else if (message.type === "ended") heapAtEnd = message.heap;
    else if (message.type === "note") listener.note(message.line);
    else if (message.type === "loaded") {
      checked = listener.loaded().then((fault) => fault === undefined || reject(failure(fault)));
      checked.catch(reject);
    } else if (message.type === "done") {
      done = true;
      checked.then(() => resolve(message), reject);
    } else if (message.type === "interrupted") {
      reject(new Interruption(`Stage "${task.name}" was interrupted`));
    } else reject(failure(message.message));
  });
  const outOfMemory = () => failure(`out of memory: --heap ${task.heap} (MiB) is too little`);
  worker.on("error", (error: Error & { code?: string }) => {
    reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? outOfMemory() : failure(firstLine(error)));
  });
  worker.on("exit", (code: number) => {
    if (done) return;
    if (code !== 0) reject(failure(`its worker ended with exit code ${code} before it was done`));
    // In asynchronous code Deno 2.9 ends a worker without an error when memory runs out: its heap tells.
    else if (heapAtEnd > task.heap * FULL) reject(outOfMemory());
    else reject(failure("it waits for something that never comes"));
  });
  const abort = () => reject(new Interruption(`Stage "${task.name}" was stopped`));
  signal?.addEventListener("abort", abort);
  try {
    return await promise;
  } finally {
    signal?.removeEventListener("abort", abort);
    await worker.terminate();
  }
}
