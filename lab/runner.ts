/** Runs a plan: what is in the store is taken from there, the rest is made, side by side where the graph allows. */
import { hostname, totalmem } from "node:os";
import { documentHash } from "./canonical.ts";
import { checkpointFolder, removeCheckpoint } from "./checkpoint.ts";
import { remove } from "./durable.ts";
import { firstLine, Interruption } from "./errors.ts";
import { execute, type Listener } from "./execution.ts";
import { type StageKey, stageKey, THREADS } from "./key.ts";
import { type Holder, lockKey } from "./lock.ts";
import { changed, type Code, type ModuleGraph, repository } from "./module_graph.ts";
import { assertGiven, givenArtifact, isGiven, mapSources, sources } from "./given.ts";
import type { Plan, PlannedStage, Source } from "./plan.ts";
import { turns } from "./device.ts";
import { assertSimulators, codeOf, entriesOf } from "./simulator.ts";
import type { Slots } from "./slots.ts";
import type { Artifact, Budget } from "./stage.ts";
import type { Outcome, Output, Store } from "./store.ts";

/** How a stage of a run ended. "failed" may mean that a stage it needs failed: see `error`. */
export type State = "hit" | "run" | "failed" | "interrupted";

/** A stage of a finished run. */
export interface StageResult {
  /** Name of the stage in its graph. */
  readonly name: string;
  /** Repository-relative path of its module. */
  readonly entry: string;
  /** Null when an input was not made. */
  readonly key: string | null;
  /** How it ended. */
  readonly state: State;
  /** Seconds it took to compute, now or when it was stored. */
  readonly seconds: number;
  /** Steps it took, now or when it was stored. */
  readonly budget: Budget;
  /** Stored outputs by name; none when it failed. */
  readonly outputs: Readonly<Record<string, Output>>;
  /** What went wrong, in one line. */
  readonly error?: string;
}

/** A finished run. */
export interface RunResult {
  /** In graph order, without those that were not asked for. */
  readonly stages: readonly StageResult[];
  /** Hash over all outputs in graph order; null when a stage is missing. */
  readonly result: string | null;
}

/** What happens while stages run. */
export interface Reporter {
  /** A stage begins to compute the outcome of `key`. */
  started(stage: string, key: string): void;
  /** A stage tells how far it is. */
  progress(stage: string, ...progress: Parameters<Listener["progress"]>): void;
  /** Another process makes the same outcome; `holder` is unknown when its note cannot be read. */
  waiting(stage: string, holder: Holder | undefined): void;
  /** A stage ended; of stages whose inputs failed nothing is told. */
  finished(result: StageResult): void;
  /** A line for the person who watches. */
  note(line: string): void;
}

/** How to run. None of it changes a result. */
export interface RunOptions {
  /** Bounds the stages that compute at once. */
  readonly slots: Slots;
  /** Environment workers a stage may use. */
  readonly workers: number;
  /** Seconds between two checkpoints of a stage. */
  readonly checkpointSeconds: number;
  /** Limit of a stage's JavaScript heap, MiB. */
  readonly heap: number;
  /** Run only this stage and what it needs. */
  readonly only?: string;
  /** Make these again, whatever the store holds. */
  readonly rerun?: readonly string[];
  /** One Int32, not 0 once the run is being stopped. */
  readonly interrupt: SharedArrayBuffer;
  /** Aborted when stages that do not stop by themselves must end. */
  readonly signal?: AbortSignal;
  /** Hears what happens. */
  readonly reporter: Reporter;
}

/**
 * Runs a plan. Failures are in the result: stages that do not need a failed one still finish.
 *
 * @throws {StoreError} when the store cannot be read
 * @throws {UsageError} when an object that a stage was given is not in the store
 * @throws {Error} when a stage's simulator or device is not on this machine; the message names the mend
 */
export async function run(
  plan: Plan,
  graph: ModuleGraph,
  store: Store,
  options: RunOptions,
): Promise<RunResult> {
  const wanted = options.only === undefined ? undefined : ancestors(plan, options.only);
  const asked = plan.stages.filter(({ name }) => wanted?.has(name) !== false);
  assertSimulators(asked);
  assertGiven(asked, store);
  const results = new Map<string, Promise<StageResult>>();
  for (const stage of plan.stages) {
    if (wanted?.has(stage.name) === false) continue;
    const task = settle(plan, stage, codeOf(stage, graph), store, options, results);
    results.set(stage.name, task);
  }
  const stages = await Promise.all(results.values());
  const done = stages.length === plan.stages.length &&
    stages.every(({ state }) => state === "hit" || state === "run");
  for (const { state, outputs } of stages) {
    if (state === "run") { for (const { digest } of Object.values(outputs)) store.objects.trust(digest); }
  }
  return { stages, result: done ? resultHash(stages) : null };
}

/** Hash over all outputs in graph order. */
export function resultHash(stages: readonly Pick<StageResult, "name" | "outputs">[]): string {
  const outputs = stages.map(({ name, outputs }) => ({
    stage: name,
    outputs: Object.fromEntries(Object.entries(outputs).map(([output, { digest }]) => [output, digest])),
  }));
  return documentHash({ kind: "uplift/result", version: 1, outputs });
}

/** The stages an edge list of a stage names. */
export function needs(stage: PlannedStage): string[] {
  return [...new Set(sources(stage).flatMap((source) => isGiven(source) ? [] : source.stage))];
}

/** A stage and everything it needs. */
export function ancestors(plan: Plan, name: string): Set<string> {
  const reached = new Set<string>();
  const pending = [name];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (reached.has(at)) continue;
    reached.add(at);
    pending.push(...needs(plan.stages.find((stage) => stage.name === at)!));
  }
  return reached;
}

/** The key of a planned stage, given the outputs of the stages it reads from; on this machine's runtime by default. */
export function plannedKey(
  stage: PlannedStage,
  code: Code,
  outputs: (stage: string) => Readonly<Record<string, Output>>,
  on?: StageKey["preimage"]["runtime"],
): StageKey {
  const digest = (source: Source) =>
    isGiven(source) ? source.given : outputs(source.stage)[source.output]!.digest;
  return stageKey({ ...stage, code, inputs: mapSources(stage, digest) }, on);
}

/** The files a stage reads, by role. */
export function artifacts(
  stage: PlannedStage,
  store: Store,
  outputs: (stage: string) => Readonly<Record<string, Output>>,
): Record<string, Artifact | readonly Artifact[]> {
  return mapSources(stage, (source): Artifact => {
    if (isGiven(source)) return givenArtifact(source, store);
    const blob = outputs(source.stage)[source.output]!;
    return { ...blob, path: store.objects.path(blob.digest) };
  });
}

const NOTHING: Budget = { environmentSteps: 0, gradientSteps: 0 };

async function settle(
  plan: Plan,
  stage: PlannedStage,
  code: Code,
  store: Store,
  options: RunOptions,
  results: ReadonlyMap<string, Promise<StageResult>>,
): Promise<StageResult> {
  const { name, entry } = stage;
  const inputs = new Map<string, StageResult>();
  for (const needed of needs(stage)) inputs.set(needed, await results.get(needed)!);
  const bad = [...inputs.values()].find(({ state }) => state === "failed" || state === "interrupted");
  if (bad) {
    const error = `needs stage "${bad.name}"`;
    return { name, entry, key: null, state: bad.state, seconds: 0, budget: NOTHING, outputs: {}, error };
  }
  const key = plannedKey(stage, code, (needed) => inputs.get(needed)!.outputs);
  const finish = (state: State, rest: Pick<StageResult, "seconds" | "budget" | "outputs" | "error">) => {
    const { seconds, budget, outputs } = rest;
    const error = rest.error === undefined ? {} : { error: rest.error };
    const result = { name, entry, key: key.key, state, seconds, budget, outputs, ...error };
    options.reporter.finished(result);
    return result;
  };
  try {
    const again = options.rerun?.includes(name) === true;
    const stored = again ? undefined : store.outcome(key.key);
    if (stored) return finish("hit", stored);
    const made = await make(plan, stage, key, store, options, inputs, again);
    return finish(made.state, made.outcome);
  } catch (thrown) {
    const state = thrown instanceof Interruption ? "interrupted" : "failed";
    return finish(state, { seconds: 0, budget: NOTHING, outputs: {}, error: firstLine(thrown) });
  }
}

/** Makes a stage's outcome, or takes it from the process that made it meanwhile. */
async function make(
  plan: Plan,
  stage: PlannedStage,
  key: StageKey,
  store: Store,
  options: RunOptions,
  inputs: ReadonlyMap<string, StageResult>,
  again: boolean,
): Promise<{ state: "hit" | "run"; outcome: Outcome }> {
  const { reporter, slots } = options;
  const interrupted = () => Atomics.load(new Int32Array(options.interrupt), 0) !== 0;
  using _turn = stage.device && await turns.take();
  let slot: Disposable | undefined = await slots.take();
  const waiting = (holder: Holder | undefined) => {
    // What another process computes needs no slot here.
    slot?.[Symbol.dispose]();
    slot = undefined;
    reporter.waiting(stage.name, holder);
  };
  try {
    if (interrupted()) throw new Interruption(`Stage "${stage.name}" was not started`);
    const holder = { pid: Deno.pid, experiment: plan.experiment, stage: stage.name };
    using _lock = await lockKey(store.directory, key.key, holder, { waiting, interrupted });
    slot ??= await slots.take();
    const stored = again ? undefined : store.outcome(key.key);
    if (stored) return { state: "hit", outcome: stored };
    reporter.started(stage.name, key.key);
    const logPath = store.logPath(key.key);
    const checkpoints = checkpointFolder(store.directory, key.key);
    const { name, outputs, parameters, seed } = stage;
    const finished = await execute(
      {
        name,
        key: key.key,
        entry: new URL(stage.entry, repository).href,
        inputs: artifacts(stage, store, (needed) => inputs.get(needed)!.outputs),
        outputs,
        parameters,
        seed,
        threads: THREADS,
        device: stage.device?.name ?? "cpu",
        workers: options.workers,
        store: store.directory,
        temporary: store.writer.directory,
        checkpoints,
        checkpointSeconds: options.checkpointSeconds,
        logPath,
        heap: options.heap,
        interrupt: options.interrupt,
      },
      {
        progress: (p) => reporter.progress(name, p),
        note: (line) => reporter.note(line),
        loaded: async () => {
          const fault = await changed(entriesOf(stage), key.modules);
          // What is running now, before anybody edits it.
          if (fault === undefined) store.sources.keep(key.modules, store.writer);
          return fault;
        },
      },
      options.signal,
    );
    const outcome = store.commit(key, {
      key: key.key,
      entry: stage.entry,
      name,
      experiment: plan.experiment,
      seed,
      outputs: finished.outputs,
      seconds: finished.seconds,
      budget: finished.budget,
      created: new Date().toISOString(),
      machine: {
        host: hostname(),
        cores: navigator.hardwareConcurrency,
        memory: totalmem(),
        os: Deno.build.os,
        device: stage.device?.name ?? "cpu",
      },
    }, Deno.readFileSync(logPath));
    removeCheckpoint(checkpoints);
    remove(logPath);
    // The first outcome stands for the key: a second one that differs is evidence, and said so.
    const canonical = store.outcome(key.key) ?? outcome;
    if (resultHash([{ ...canonical, name }]) !== resultHash([{ ...outcome, name }])) {
      reporter.note(`Stage "${name}" gave other bytes than before: the first outcome stays, run exp verify`);
    }
    return { state: "run", outcome: { ...canonical, seconds: outcome.seconds, budget: outcome.budget } };
  } finally {
    slot?.[Symbol.dispose]();
  }
}
