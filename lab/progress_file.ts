/**
 * What a run tells of itself while it goes on: progress/<definition>-<seed>.json, for whoever watches from another
 * process. It is derived and advisory: nothing is hashed from it, and a run does not fail over it.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import type { Plan } from "./plan.ts";
import type { Reporter, StageResult, State } from "./runner.ts";
import type { Progress } from "./stage.ts";
import type { Holder } from "./lock.ts";
import type { Store } from "./store.ts";

/** One stage of a run that goes on, or has just ended. */
export interface StageProgress {
  /** Name of the stage in its graph. */
  readonly name: string;
  /** How it stands; "waiting" while another process makes it. */
  readonly state: State | "running" | "waiting";
  /** Its key; null while it is not known. */
  readonly key: string | null;
  /** When it began, ISO 8601; null for a stage that was found in the store. */
  readonly since: string | null;
  /** What it told last. */
  readonly last?: Progress;
  /** Units a second since it began here. */
  readonly rate?: number;
  /** Success rate by units done, at most {@link POINTS} of them, in order. */
  readonly history?: readonly (readonly [done: number, success: number])[];
  /** What went wrong, in one line. */
  readonly error?: string;
}

/** One run as its progress file tells. */
export interface RunProgress {
  /** Tells this document from others. */
  readonly kind: "uplift/progress";
  /** Name of the experiment. */
  readonly experiment: string;
  /** Hash of what was declared. */
  readonly definition: string;
  /** Seed of the run. */
  readonly seed: number;
  /** Number of its process. */
  readonly pid: number;
  /** Machine it runs on. */
  readonly host: string;
  /** When it began, ISO 8601. */
  readonly started: string;
  /** When this was written, ISO 8601; a run that goes on writes every {@link BEAT_MS}. */
  readonly updated: string;
  /** Whether the run has come to its end. */
  readonly ended: boolean;
  /** Stages of the plan. */
  readonly total: number;
  /** Stages it has begun or found, in that order. */
  readonly stages: readonly StageProgress[];
}

/** A run that goes on writes at least this often. */
export const BEAT_MS = 5_000;
/** Points kept of a stage's history; every second one goes when there are more. */
export const POINTS = 240;
const WRITE_MS = 500;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Entry = Mutable<StageProgress> & { history: [number, number][]; first?: { done: number; at: number } };

/** A reporter that keeps the progress file of one run and tells everything on to another reporter. */
export class ProgressFile implements Reporter {
  readonly #plan: Plan;
  readonly #store: Store;
  readonly #inner: Reporter;
  readonly #started = new Date().toISOString();
  readonly #stages = new Map<string, Entry>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #written = -Infinity;
  #busy = false;

  /** Keeps the progress of a plan's run in a store; nothing is written until a stage has to be made. */
  constructor(plan: Plan, store: Store, inner: Reporter) {
    this.#plan = plan;
    this.#store = store;
    this.#inner = inner;
  }

  started(stage: string, key: string): void {
    this.#inner.started(stage, key);
    this.#stages.set(stage, { name: stage, state: "running", key, since: now(), history: [] });
    this.#begin();
  }

  progress(stage: string, progress: Progress): void {
    this.#inner.progress(stage, progress);
    const entry = this.#stages.get(stage);
    if (!entry) return;
    const at = performance.now() / 1000;
    entry.first ??= { done: progress.done, at };
    entry.last = progress;
    const elapsed = at - entry.first.at;
    if (elapsed > 0) entry.rate = (progress.done - entry.first.done) / elapsed;
    if (progress.success !== undefined) remember(entry.history, progress.done, progress.success);
    this.#write(false);
  }

  waiting(stage: string, holder: Holder | undefined): void {
    this.#inner.waiting(stage, holder);
    this.#stages.set(stage, { name: stage, state: "waiting", key: null, since: now(), history: [] });
    this.#begin();
  }

  finished(result: StageResult): void {
    this.#inner.finished(result);
    const { name, state, key, error } = result;
    const entry = this.#stages.get(name) ?? { name, state, key, since: null, history: [] };
    this.#stages.set(name, { ...entry, state, key, ...(error === undefined ? {} : { error }) });
    this.#write(true);
  }

  note(line: string): void {
    this.#inner.note(line);
  }

  /** Says that the run has come to its end. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#write(true, true);
  }

  #begin(): void {
    if (!this.#busy) {
      this.#busy = true;
      this.#record();
      this.#timer = setInterval(() => this.#write(true), BEAT_MS);
    }
    this.#write(true);
  }

  /** A run is remembered from its first computation, so that what a killed one was about can be seen. */
  #record(): void {
    try {
      if (this.#store.run(this.#plan)) return;
      this.#store.record({ plan: this.#plan, keys: {}, result: null, created: now() });
    } catch {
      // The stage that writes next says what is wrong with the store.
    }
  }

  #write(must: boolean, ended = false): void {
    if (!this.#busy || (!must && performance.now() - this.#written < WRITE_MS)) return;
    this.#written = performance.now();
    const { experiment, definition, seed, stages } = this.#plan;
    const document: RunProgress = {
      kind: "uplift/progress",
      experiment,
      definition,
      seed,
      pid: Deno.pid,
      host: hostname(),
      started: this.#started,
      updated: now(),
      ended,
      total: stages.length,
      stages: [...this.#stages.values()].map(({ first: _, ...entry }) => entry),
    };
    try {
      const folder = join(this.#store.directory, "progress");
      const unfinished = join(this.#store.writer.directory, `progress-${seed}`);
      // Not synced: after a crash an older one, or none, does as well.
      Deno.writeTextFileSync(unfinished, JSON.stringify(document));
      Deno.mkdirSync(folder, { recursive: true });
      Deno.renameSync(unfinished, join(folder, `${definition}-${seed}.json`));
    } catch {
      // A full disk fails the stage that writes, not this note.
    }
  }
}

const now = () => new Date().toISOString();

function remember(history: [number, number][], done: number, success: number): void {
  const last = history.at(-1);
  if (last && last[0] >= done) return;
  history.push([done, success]);
  if (history.length <= POINTS) return;
  const kept = history.filter((_, i) => i % 2 === 0);
  history.splice(0, history.length, ...kept);
}
