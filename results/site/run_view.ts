/** One run as pages show it: its record, its stages as the store holds them now, and what it tells while it goes on. */
import type { RunProgress, StageProgress } from "../../lab/progress_file.ts";
import { BEAT_MS } from "../../lab/progress_file.ts";
import { methodStages } from "../../lab/method_stages.ts";
import type { Edge, PlannedStage } from "../../lab/plan.ts";
import { resultHash } from "../../lab/runner.ts";
import { worldsOf } from "../../lab/simulator.ts";
import type { Outcome, RunRecord } from "../../lab/store.ts";
import { buildReport, figures, type Report } from "../report.ts";
import { markdownReport } from "../report_text.ts";
import type { Reader } from "./reader.ts";

/** How a stage of a run stands. "gone": it was made, and its outcome is no longer there or damaged. */
export type StageState = "done" | "running" | "waiting" | "failed" | "interrupted" | "gone" | "absent";

/** A stage of a run. */
export interface StageView {
  /** As planned. */
  readonly stage: PlannedStage;
  /** Its key; null while it is not known. */
  readonly key: string | null;
  /** What the store holds for the key. */
  readonly outcome: Outcome | undefined;
  /** How it stands. */
  readonly state: StageState;
  /** What it tells while it runs. */
  readonly progress: StageProgress | undefined;
}

/** A run with its stages in graph order. */
export interface RunView {
  /** What was asked for, and what came of it. */
  readonly record: RunRecord;
  /** Its stages. */
  readonly stages: readonly StageView[];
  /** Whether a process works on it. */
  readonly running: boolean;
}

/** A progress file this old belongs to a process that is gone. */
const SILENCE_MS = 3 * BEAT_MS + 2_000;

/** Whether a run still writes its progress. */
export function isRunning({ ended, updated }: RunProgress, now = Date.now()): boolean {
  return !ended && now - Date.parse(updated) < SILENCE_MS;
}

/** The runs that go on. */
export function runningNow(reader: Reader): RunProgress[] {
  return reader.progress().map(({ progress }) => progress).filter((each) => isRunning(each));
}

/** A run by its definition and seed. */
export function viewRun(reader: Reader, definition: string, seed: number): RunView | "damaged" | "missing" {
  const found = reader.run(definition, seed);
  if (found === "damaged" || found === "missing") return found;
  const record = found.value;
  const told = reader.progress().find(({ name }) => name === `${definition}-${seed}.json`)?.progress;
  const running = told !== undefined && isRunning(told);
  const stages = record.plan.stages.map((stage): StageView => {
    const progress = told?.stages.find(({ name }) => name === stage.name);
    const key = record.keys[stage.name] ?? progress?.key ?? null;
    const outcome = key === null ? undefined : reader.outcome(key);
    return { stage, key, outcome, progress, state: stateOf(outcome, progress, running, record, stage.name) };
  });
  return { record, stages, running };
}

function stateOf(
  outcome: Outcome | undefined,
  progress: StageProgress | undefined,
  running: boolean,
  record: RunRecord,
  name: string,
): StageState {
  if (running && (progress?.state === "running" || progress?.state === "waiting")) return progress.state;
  if (outcome) return "done";
  if (record.keys[name] !== undefined) return "gone";
  if (progress?.state === "failed" || progress?.state === "interrupted") return progress.state;
  return "absent";
}

/** Reports are not sealed, and one of another version may lack what this one draws. */
function isDrawable(report: Report): boolean {
  try {
    figures(report);
    markdownReport(report, []);
    return Array.isArray(report.comparisons) && Array.isArray(report.tasks);
  } catch {
    return false;
  }
}

const reports = new Map<string, Report>();
const REPORTS = 64;

/**
 * The report of a run: the stored one when it is of the run's result, else built from the stored tables. Null for a run
 * that is not finished or has no evaluations, or whose outputs are gone.
 */
export function reportOf(reader: Reader, { record, stages }: RunView): Report | null {
  const { plan, result } = record;
  if (result === null || Object.keys(plan.evaluations).length === 0) return null;
  const stored = reader.report(plan.definition, plan.seed, result) as unknown as Report | undefined;
  if (stored && isDrawable(stored)) return stored;
  const name = `${plan.definition}-${plan.seed}-${result}`;
  const known = reports.get(name);
  if (known) return known;
  const outcomes = new Map(stages.map(({ stage, outcome }) => [stage.name, outcome]));
  if (stages.some(({ outcome }) => !outcome)) return null;
  const made = stages.map(({ stage: { name }, outcome }) => ({ name, outputs: outcome!.outputs }));
  if (resultHash(made) !== result) return null;
  const read = ({ stage, output }: Edge) => reader.read(outcomes.get(stage)!.outputs[output]!.digest);
  const bytes = (edges: typeof plan.evaluations) =>
    Object.fromEntries(Object.entries(edges).map(([label, edge]) => [label, read(edge)]));
  const { experiment, version, summary, seed, hyperparameters, settings, comparisons, expectations } = plan;
  const worlds = worldsOf(plan), methods = methodStages(plan, read);
  const { json } = buildReport({
    experiment,
    version,
    summary,
    seed,
    result,
    hyperparameters,
    overrides: settings,
    stages: stages.map(({ stage: { name, entry }, outcome }) => {
      const { seconds, budget } = outcome!;
      return { name, stage: entry, seconds, budget, state: "hit" };
    }),
    evaluations: bytes(plan.evaluations),
    curves: bytes(plan.curves),
    ...(comparisons ? { comparisons } : {}),
    ...(expectations ? { expectations } : {}),
    ...(methods.length > 0 ? { methods } : {}),
    ...(worlds.length > 0 ? { worlds } : {}),
  });
  if (reports.size >= REPORTS) reports.delete(reports.keys().next().value!);
  reports.set(name, json);
  return json;
}
