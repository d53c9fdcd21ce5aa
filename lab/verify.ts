/** Runs stages again from their stored inputs into a scratch place and compares what comes out. */
import { join } from "node:path";
import { remove } from "./durable.ts";
import { execute } from "./execution.ts";
import { THREADS } from "./key.ts";
import { Objects } from "./objects.ts";
import type { Planned } from "./catalog.ts";
import { changed, repository } from "./module_graph.ts";
import { turns } from "./device.ts";
import { artifacts, type Reporter, type RunOptions } from "./runner.ts";
import { type StageStatus, status } from "./status.ts";
import { assertSimulators, entriesOf } from "./simulator.ts";
import type { Kind } from "./stage.ts";
import type { Output, Store } from "./store.ts";

/** How alike two outputs are: the same bytes, the same values, values within rounding, or neither. */
export type Verdict = "bitwise" | "equal" | "close" | "different";

/** What a comparison of two outputs gives. */
export interface Comparison {
  /** How alike they are. */
  readonly verdict: Verdict;
  /** The first difference, in words. */
  readonly first?: string;
}

/** Compares two outputs of a kind. */
export type Compare = (kind: Kind, stored: Uint8Array, again: Uint8Array) => Comparison;

/** One output, checked. */
export interface VerifiedOutput {
  /** Name of the stage. */
  readonly stage: string;
  /** Name of the output. */
  readonly output: string;
  /** 1 for the first repetition. */
  readonly time: number;
  /** How alike the stored and the new output are. */
  readonly verdict: Verdict;
  /** The first difference, in words. */
  readonly first?: string;
}

/** What verifying needs of a run's options. */
export interface VerifyOptions
  extends Pick<RunOptions, "slots" | "workers" | "heap" | "interrupt" | "signal"> {
  /** Repetitions, 1 or more. */
  readonly times: number;
  /** Only this stage. */
  readonly only?: string;
  /** Hears what happens. */
  readonly reporter: Reporter;
  /** Compares outputs whose bytes differ. */
  readonly compare: Compare;
}

/**
 * Verifies the stages of a plan.
 *
 * @returns one entry per output and repetition, in graph order; and the stages that are not in the store
 * @throws {Error} when a stage's simulator is not on this machine; the message names the mend
 * @throws {StageError} when a stage that succeeded before fails now
 */
export async function verify(
  { plan, graph }: Planned,
  store: Store,
  options: VerifyOptions,
): Promise<{ outputs: VerifiedOutput[]; missing: string[] }> {
  const stages = status(plan, graph, store);
  const wanted = stages.filter(({ stage }) => options.only === undefined || stage.name === options.only);
  assertSimulators(wanted.map(({ stage }) => stage));
  const missing = wanted.filter(({ outcome }) => !outcome).map(({ stage }) => stage.name);
  const outputs = new Map(stages.map(({ stage, outcome }) => [stage.name, outcome?.outputs ?? {}]));
  const tasks = wanted.filter(({ outcome }) => outcome).flatMap((stage) =>
    Array.from({ length: options.times }, (_, i) => again(stage, i + 1, outputs, store, options))
  );
  const settled = await Promise.allSettled(tasks);
  const failed = settled.find((task) => task.status === "rejected");
  if (failed) throw failed.reason;
  return { outputs: settled.flatMap((task) => task.status === "fulfilled" ? task.value : []), missing };
}

async function again(
  { stage, key, outcome }: StageStatus,
  time: number,
  outputs: ReadonlyMap<string, Readonly<Record<string, Output>>>,
  store: Store,
  options: VerifyOptions,
): Promise<VerifiedOutput[]> {
  const { name } = stage;
  using _turn = stage.device && await turns.take();
  using _slot = await options.slots.take();
  const scratch = join(store.writer.directory, `verify-${key!.key}-${time}`);
  options.reporter.started(name, key!.key);
  try {
    const finished = await execute({
      name,
      key: key!.key,
      entry: new URL(stage.entry, repository).href,
      inputs: artifacts(stage, store, (needed) => outputs.get(needed)!),
      outputs: stage.outputs,
      parameters: stage.parameters,
      seed: stage.seed,
      threads: THREADS,
      device: stage.device?.name ?? "cpu",
      workers: options.workers,
      store: scratch,
      temporary: join(scratch, "tmp"),
      checkpoints: join(scratch, "checkpoint"),
      checkpointSeconds: Infinity,
      logPath: join(store.directory, "logs", `${key!.key}.verify.log`),
      heap: options.heap,
      interrupt: options.interrupt,
    }, {
      progress: (p) => options.reporter.progress(name, p),
      note: (line) => options.reporter.note(line),
      loaded: () => changed(entriesOf(stage), key!.modules),
    }, options.signal);
    remove(join(store.directory, "logs", `${key!.key}.verify.log`));
    options.reporter.finished({ ...finished, name, entry: stage.entry, key: key!.key, state: "run" });
    const fresh = new Objects(scratch);
    const checked: VerifiedOutput[] = [];
    for (const [output, { digest }] of Object.entries(outcome!.outputs)) {
      const now = finished.outputs[output]!.digest;
      const comparison = now === digest
        ? { verdict: "bitwise" as const }
        : options.compare(stage.outputs[output]!, store.objects.read(digest), fresh.read(now));
      checked.push({ stage: name, output, time, ...comparison });
    }
    return checked;
  } finally {
    remove(scratch);
  }
}
