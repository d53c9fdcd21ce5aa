/** The inside of a stage's worker: builds its context, runs it, and tells the runner how it ended. */
import { dirname, join } from "node:path";
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { checkpointPath, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { readIfThere, storeError, Writer } from "./durable.ts";
import { firstLine, Interruption } from "./errors.ts";
import type { FromWorker, WorkerTask } from "./execution.ts";
import { Objects, quarantine } from "./objects.ts";
import {
  type Inputs,
  mediaTypes,
  type Outputs,
  type Progress,
  type StageContext,
  type StageModule,
  type WholeFile,
} from "./stage.ts";
import type { Output } from "./store.ts";

const PROGRESS_MS = 200;

const task = workerData as WorkerTask;
const tell = (message: FromWorker) => parentPort!.postMessage(message);
const started = performance.now();
const interrupt = new Int32Array(task.interrupt);
const writer = Writer.attach(task.store, task.temporary, task.key);
const objects = new Objects(task.store);
const outputs: Record<string, Output> = {};
let budget = { environmentSteps: 0, gradientSteps: 0 };
let earlierSeconds = 0;
let lastCheckpoint = started;
let lastProgress = -Infinity;

const seconds = () => earlierSeconds + (performance.now() - started) / 1000;

function log(line: string): void {
  try {
    Deno.mkdirSync(dirname(task.logPath), { recursive: true });
    Deno.writeTextFileSync(task.logPath, `${seconds().toFixed(3)} ${line}\n`, { append: true });
  } catch (error) {
    throw storeError(`write to the store ${task.store}`, error);
  }
}

function fail(thrown: unknown): void {
  if (thrown instanceof Interruption) return tell({ type: "interrupted" });
  try {
    log(thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown));
  } catch {
    // On a full disk the message must still arrive.
  }
  tell({ type: "failed", message: firstLine(thrown) });
}

function output(name: string) {
  return {
    write(content: Uint8Array | WholeFile): Promise<void> {
      if (Object.hasOwn(outputs, name)) throw new Error(`Cannot write output "${name}" twice`);
      const blob = content instanceof Uint8Array
        ? objects.put(content, writer)
        : objects.take(content.path, writer);
      outputs[name] = { ...blob, mediaType: mediaTypes[task.outputs[name]!] };
      return Promise.resolve();
    },
  };
}

const checkpoint = {
  read(): Promise<Uint8Array | undefined> {
    const stored = readCheckpoint(task.checkpoints);
    if (stored === undefined) return Promise.resolve(undefined);
    if (stored === "damaged") {
      const place = quarantine(task.store, checkpointPath(task.checkpoints), `${task.key}.checkpoint`);
      tell({ type: "note", line: `Found a damaged checkpoint of stage "${task.name}": moved to ${place}` });
      return Promise.resolve(undefined);
    }
    budget = { ...stored.budget };
    earlierSeconds = stored.seconds;
    log("resumed from a checkpoint");
    return Promise.resolve(stored.payload);
  },
  write(bytes: Uint8Array): Promise<void> {
    writeCheckpoint(task.checkpoints, bytes, { budget, seconds: seconds() }, writer);
    lastCheckpoint = performance.now();
    return Promise.resolve();
  },
  due: () => performance.now() - lastCheckpoint >= task.checkpointSeconds * 1000,
};

const context: StageContext<Inputs, Outputs, unknown> = {
  input: task.inputs as StageContext<Inputs, Outputs, unknown>["input"],
  output: Object.fromEntries(Object.keys(task.outputs).map((name) => [name, output(name)])),
  parameters: task.parameters,
  seed: task.seed,
  threads: task.threads,
  workers: task.workers,
  interrupted: () => Atomics.load(interrupt, 0) !== 0,
  interruption: () => new Interruption(`Stage "${task.name}" was interrupted`),
  progress(progress: Progress): void {
    const now = performance.now();
    if (now - lastProgress < PROGRESS_MS) return;
    lastProgress = now;
    tell({ type: "progress", progress });
  },
  checkpoint,
  scratch(): string {
    const folder = join(task.checkpoints, "scratch");
    Deno.mkdirSync(folder, { recursive: true });
    return folder;
  },
  spend({ environmentSteps = 0, gradientSteps = 0 }): void {
    budget.environmentSteps += environmentSteps;
    budget.gradientSteps += gradientSteps;
  },
  log,
};

// Libraries greet and warn on the console: that belongs to the log, stdout to the command.
for (const level of ["log", "info", "warn", "error", "debug"] as const) {
  console[level] = (...values: unknown[]) => log(values.map(String).join(" "));
}
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});

async function main(): Promise<void> {
  try {
    // The engine asks for it there, whoever calls it: see engine/device.ts. It is part of the stage's key.
    Object.defineProperty(globalThis, Symbol.for("uplift.device"), { value: task.device });
    if (readIfThere(task.logPath) === undefined) log(`stage ${task.name}, key ${task.key}`);
    const module: StageModule<Inputs, Outputs, never> = await import(task.entry);
    tell({ type: "loaded" });
    await module.run(context as never);
    const missing = Object.keys(task.outputs).find((name) => !Object.hasOwn(outputs, name));
    if (missing) throw new Error(`output "${missing}" was not written`);
    tell({ type: "done", outputs, budget, seconds: seconds() });
  } catch (thrown) {
    fail(thrown);
  }
}

process.on("exit", () => tell({ type: "ended", heap: Deno.memoryUsage().heapUsed / 2 ** 20 }));
// From a timer: when memory runs out under a top-level await, Deno 2.9 leaves the worker waiting for ever.
setTimeout(main, 0);
