/** `exp run`: makes what is not yet in the store, and prints the report. */
import { availableParallelism } from "node:os";
import { UsageError } from "../lab/errors.ts";
import { suggestion } from "../lab/nearest.ts";
import { ProgressFile } from "../lab/progress_file.ts";
import { ancestors, run, type RunResult } from "../lab/runner.ts";
import { Slots } from "../lab/slots.ts";
import type { Planned } from "../lab/catalog.ts";
import type { Plan } from "../lab/plan.ts";
import { Interrupt } from "./interrupt.ts";
import { TerminalReporter } from "./progress.ts";
import { reportOn, reportOnSeeds } from "./report.ts";
import { type RequestOptions, requests, type Session } from "./session.ts";

/** Options of `run` alone. */
export interface RunOptions extends RequestOptions {
  readonly only?: string | undefined;
  readonly rerun?: readonly string[] | undefined;
  readonly jobs?: string | undefined;
  readonly checkpointSeconds: string;
  readonly heap: string;
}

/** Runs an experiment for each seed; returns the exit code. */
export async function runCommand(name: string, options: RunOptions, session: Session): Promise<number> {
  const { store, catalog } = session;
  const cores = availableParallelism();
  const jobs = options.jobs === undefined
    ? Math.max(1, Math.floor(cores / 2))
    : count(options.jobs, "--jobs");
  const checkpointSeconds = Number(options.checkpointSeconds);
  if (!(checkpointSeconds >= 0)) {
    throw new UsageError(`Cannot use --checkpoint-seconds ${options.checkpointSeconds}: give a number >= 0`);
  }
  const heap = count(options.heap, "--heap");
  const rerun = options.rerun ?? [];
  const check = (plan: Plan) => {
    for (const stage of [options.only ?? [], rerun].flat()) checkStage(plan, stage);
  };
  const planned: Planned[] = [];
  for (const request of await requests(options)) {
    planned.push(await catalog.plan(name, request, store, check));
  }

  using interrupt = new Interrupt();
  const results: RunResult[] = [];
  {
    const stages = planned.map(({ plan }) =>
      options.only === undefined ? plan.stages.length : ancestors(plan, options.only).size
    );
    using reporter = new TerminalReporter(stages.reduce((a, b) => a + b));
    const slots = new Slots(jobs);
    const workers = Math.max(1, Math.floor(cores / jobs));
    const shared = { slots, workers, checkpointSeconds, heap };
    const only = options.only === undefined ? {} : { only: options.only };
    const how = {
      ...shared,
      ...only,
      rerun,
      interrupt: interrupt.flag,
      signal: interrupt.signal,
    };
    for (const { plan, graph } of planned) {
      using progress = new ProgressFile(plan, store, reporter);
      results.push(await run(plan, graph, store, { ...how, reporter: progress }));
    }
  }
  const concluded = [];
  for (const [i, { plan }] of planned.entries()) concluded.push(await conclude(plan, results[i]!, session));
  const reported = concluded.flatMap(({ reported }) => reported ?? []);
  const several = planned.length > 1 && reported.length === planned.length;
  const seeds = several ? await reportOnSeeds(planned.map(({ plan }) => plan), reported, store) : null;
  if (session.json) {
    const [first, ...others] = concluded.map(({ document }) => document);
    const document = others.length === 0
      ? first
      : { runs: [first, ...others], seeds: seeds?.report.json ?? null };
    console.log(JSON.stringify(document, null, 2));
  } else if (seeds) console.log(seeds.report.console);
  const failures = [...concluded.map(({ reported }) => reported), seeds].flatMap((each) =>
    each?.failure ?? []
  );
  for (const line of new Set(failures)) console.error(line);
  const states = results.flatMap(({ stages }) => stages.map(({ state }) => state));
  if (interrupt.happened || states.includes("interrupted")) {
    console.error("Interrupted: the same command resumes where this one stopped");
    return 130;
  }
  return states.includes("failed") || failures.length > 0 ? 1 : 0;
}

/** Records a run, writes its report and prints it; returns it with the document `--json` prints. */
async function conclude(plan: Plan, { stages, result }: RunResult, session: Session) {
  const { store, json } = session;
  const keys = Object.fromEntries(
    stages.flatMap(({ name, key, state }) =>
      key && (state === "hit" || state === "run") ? [[name, key]] : []
    ),
  );
  const ran = stages.some(({ state }) => state === "run");
  const known = store.run(plan);
  // A run of some stages does not make a record of all of them forget its result.
  const covered = known !== undefined &&
    Object.entries(keys).every(([stage, key]) => known.keys[stage] === key);
  if (!covered || (result !== null && known.result !== result)) {
    try {
      store.record({ plan, keys, result, created: new Date().toISOString() });
    } catch (error) {
      // A store that is only read still answers.
      if (ran) throw error;
    }
  }
  const reported = result === null ? null : await reportOn(plan, stages, result, store);
  if (!json && reported) console.log(reported.report.console);
  const { experiment, version, definition, seed } = plan;
  const made = Object.keys(keys).length;
  const state = result === null ? `${made} of ${plan.stages.length} stages in the store` : `result ${result}`;
  if (!json) console.log(`${experiment} seed ${seed}: ${state}`);
  const document = {
    experiment,
    version,
    definition,
    result,
    seed,
    stages: stages.map(({ name, key, state, seconds, outputs, error }) => ({
      name,
      key,
      state,
      seconds,
      outputs,
      ...(error === undefined ? {} : { error }),
    })),
    report: reported?.report.json ?? null,
  };
  return { document, reported };
}

/** @throws {UsageError} when the plan has no such stage */
export function checkStage(plan: Plan, stage: string): void {
  const all = plan.stages.map(({ name }) => name);
  if (all.includes(stage)) return;
  throw new UsageError(`Cannot find stage "${stage}" in ${plan.experiment}${suggestion(stage, all)}`);
}

/** A positive integer option. */
export function count(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`Cannot use ${option} ${text}: give a positive integer`);
  }
  return value;
}
