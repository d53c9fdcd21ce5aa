/**
 * The report of one experiment and seed: numbers with their n and method, as JSON, Markdown, figures and a table for
 * the terminal. Equal inputs give equal bytes; nothing here reads a clock.
 */
import { decodeTable, numbers } from "../data/table.ts";
import type { Expectation } from "../lab/experiment.ts";
import type { MethodStages } from "../lab/method_stages.ts";
import { forest, type ForestGroup, learningCurves } from "./charts.ts";
import { byTask, compareAll, type ComparisonRow } from "./comparisons.ts";
import { type GroupsRow, groupsRow } from "./groups.ts";
import { type GuidanceRow, guidanceRow } from "./guidance.ts";
import { decodeEvaluation, type Rate, rate } from "./evaluation.ts";
import { warnings } from "./expectations.ts";
import { figureOfSeed, type MethodRow, methodRow } from "./methods.ts";
import { consoleReport, markdownReport } from "./report_text.ts";
import { wilson } from "./statistics.ts";
import { type WeightingRow, weightingRow, weightingWarnings } from "./weighting.ts";

export type { Comparison, ComparisonRow } from "./comparisons.ts";

/** What a stage cost, as its outcome says: a stage found in the store keeps the cost of the run that made it. */
export interface StageRow {
  /** Name of the stage in its graph. */
  readonly name: string;
  /** Module of the stage. */
  readonly stage: string;
  /** "hit": found in the store. */
  readonly state: "hit" | "run" | "failed";
  /** Seconds of computing, over all attempts. */
  readonly seconds: number;
  /** Steps over all attempts. */
  readonly budget: { readonly environmentSteps: number; readonly gradientSteps: number };
}

/** A hyperparameter that is not at its default: why, or at least who set it (preset, command line, file). */
export interface Override {
  /** Dotted path, e.g. "learner.rewardScale". */
  readonly path: string;
  /** The value in use. */
  readonly value: unknown;
  /** Why it is not the default. */
  readonly reason?: string;
  /** Who set it, where no reason is given. */
  readonly from?: string;
}

/** Everything a report is made from. */
export interface ReportInput {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Version of the experiment. */
  readonly version: number;
  /** The experiment's question in a sentence or two. */
  readonly summary: string;
  /** Seed of the run. */
  readonly seed: number;
  /** Hash over all outputs. */
  readonly result: string;
  /** All hyperparameters, as JSON. */
  readonly hyperparameters: unknown;
  /** Those that are not at their defaults. */
  readonly overrides: readonly Override[];
  /** In graph order. */
  readonly stages: readonly StageRow[];
  /** Evaluation tables by label; the first one is what the others are compared with. */
  readonly evaluations: Readonly<Record<string, Uint8Array>>;
  /**
   * Metrics tables by label; a column `success` is drawn, with a band where `episodes` says of how many it is a rate.
   * Ledgers of groups (groups.ts) are summed up, scores by guidance (guidance.ts) and weights of chunks (weighting.ts)
   * are tabled.
   */
  readonly curves: Readonly<Record<string, Uint8Array>>;
  /** Pairs to compare beside those with the first one, by label: is `after` better than `before`? */
  readonly comparisons?: readonly { readonly after: string; readonly before: string }[];
  /** What the experiment takes for granted: a warning where it does not hold. */
  readonly expectations?: readonly Expectation[];
  /** Methods to set side by side, each with its stages. */
  readonly methods?: readonly MethodStages[];
  /** Sentences for the end of the report. */
  readonly notes?: readonly string[];
  /** The simulators that success was measured in, a line each: numbers under other protocols are other numbers. */
  readonly worlds?: readonly string[];
}

/** A policy's success, over all tasks and by task. */
export interface PolicyRow extends Rate {
  /** Name of the policy. */
  readonly label: string;
  /** The same by task, for the tasks it was run on. */
  readonly tasks: readonly (Rate & { readonly task: string })[];
}

/** A learning curve's numbers. */
export interface CurveRow {
  /** Name of the curve. */
  readonly label: string;
  /** What x counts: the name of the table's first column. */
  readonly unit: string;
  /** Steps, ascending. */
  readonly x: readonly number[];
  /** null where nothing was measured. */
  readonly success: readonly (number | null)[];
  /** Episodes behind each rate; null when the table does not tell. */
  readonly episodes: readonly (number | null)[] | null;
}

/** The report as JSON. */
export interface Report
  extends Omit<ReportInput, "evaluations" | "curves" | "comparisons" | "expectations" | "methods" | "notes"> {
  /** Names of all tasks, sorted. */
  readonly tasks: readonly string[];
  /** Success by policy, in the order given. */
  readonly policies: readonly PolicyRow[];
  /** All policies but the first, each against the first; then the further pairs. */
  readonly comparisons: readonly ComparisonRow[];
  /** Learning curves, of the tables that have a success column. */
  readonly curves: readonly CurveRow[];
  /** Rounds of rollouts in groups; absent where there are none. */
  readonly groups?: readonly GroupsRow[];
  /** How guidances were chosen; absent where there is no choice. */
  readonly guidance?: readonly GuidanceRow[];
  /** What weights make of rollouts; absent where nothing is weighted. */
  readonly weighting?: readonly WeightingRow[];
  /** Methods side by side; absent where there are none. */
  readonly methods?: readonly MethodRow[];
  /** Sums over all stages, and over those that ran now. */
  readonly budget: { readonly total: Cost; readonly now: Cost };
  /** Expectations that do not hold, in words; absent when all do. */
  readonly warnings?: readonly string[];
  /** Sentences for the end of the report. */
  readonly notes: readonly string[];
}

/** Seconds of stages (not of wall clock, since stages run side by side) and steps. */
export interface Cost {
  /** Seconds of computing. */
  readonly seconds: number;
  /** Control steps taken in environments. */
  readonly environmentSteps: number;
  /** Gradient steps. */
  readonly gradientSteps: number;
}

/**
 * Builds the report. `svgs` are by file name without ".svg", which is how the Markdown names them.
 *
 * @throws {RangeError} when there is no evaluation, one is empty or counts an episode twice, or a comparison names none
 * @throws {TypeError} when a table lacks a column
 */
export function buildReport(
  input: ReportInput,
): { json: Report; markdown: string; svgs: Record<string, string>; console: string } {
  const { evaluations, curves, comparisons = [], expectations = [], methods = [], ...declared } = input;
  const outcomes = Object.entries(evaluations).map(([label, bytes]) =>
    [label, decodeEvaluation(bytes, label)] as const
  );
  if (outcomes.length === 0) {
    throw new RangeError(`Cannot report on "${input.experiment}" without evaluations: give at least one`);
  }
  const tasks = [...new Set(outcomes.flatMap(([, rows]) => rows.map((row) => row.task)))].sort();
  const groups = Object.entries(curves).flatMap(([label, bytes]) => groupsRow(label, bytes) ?? []);
  const guidance = Object.entries(curves).flatMap(([label, bytes]) => guidanceRow(label, bytes) ?? []);
  const weighting = Object.entries(curves).flatMap(([label, bytes]) => weightingRow(label, bytes) ?? []);
  const missed = [...warnings(expectations, outcomes), ...weightingWarnings(weighting)];
  const json: Report = {
    ...declared,
    tasks,
    policies: outcomes.map(([label, rows]) => ({
      label,
      ...rate(rows),
      tasks: byTask(rows, tasks).map(([task, rows]) => ({ task, ...rate(rows) })),
    })),
    comparisons: compareAll(outcomes, comparisons, tasks),
    curves: Object.entries(curves).flatMap(([label, bytes]) => curve(label, bytes) ?? []),
    ...(groups.length > 0 ? { groups } : {}),
    ...(guidance.length > 0 ? { guidance } : {}),
    ...(weighting.length > 0 ? { weighting } : {}),
    ...(methods.length > 0 ? { methods: methods.map((method) => methodRow(method, input.stages)) } : {}),
    budget: { total: cost(input.stages), now: cost(input.stages.filter((stage) => stage.state === "run")) },
    ...(missed.length > 0 ? { warnings: missed } : {}),
    notes: input.notes ?? [],
  };
  const svgs = figures(json);
  return { json, markdown: markdownReport(json, Object.keys(svgs)), svgs, console: consoleReport(json) };
}

function curve(label: string, bytes: Uint8Array): CurveRow | undefined {
  const table = decodeTable(bytes);
  const unit = Object.keys(table)[0]!;
  if (!("success" in table) || "guidance" in table) return undefined;
  const measured = (name: string) => Array.from(numbers(table, name), (x) => Number.isFinite(x) ? x : null);
  return {
    label,
    unit,
    x: Array.from(numbers(table, unit)),
    success: measured("success"),
    episodes: "episodes" in table ? measured("episodes") : null,
  };
}

function cost(stages: readonly StageRow[]): Cost {
  const sum = (of: (stage: StageRow) => number) => stages.reduce((total, stage) => total + of(stage), 0);
  return {
    seconds: sum((stage) => stage.seconds),
    environmentSteps: sum((stage) => stage.budget.environmentSteps),
    gradientSteps: sum((stage) => stage.budget.gradientSteps),
  };
}

/** The figures of a report as SVG, by file name without ".svg". */
export function figures(report: Report): Record<string, string> {
  const { policies, tasks } = report;
  const subtitle =
    `${report.experiment} v${report.version}, seed ${report.seed} · held-out initial states, 95 % intervals`;
  const row = (label: string, { successes, episodes, interval }: Rate, colour: number) => ({
    label,
    interval,
    count: `${successes}/${episodes}`,
    colour,
  });
  const overall: ForestGroup = { rows: policies.map((policy, i) => row(policy.label, policy, i)) };
  const svgs: Record<string, string> = {
    success: forest({ title: "Success before and after", subtitle, groups: [overall] }),
  };
  if (tasks.length > 1) {
    const groups = tasks.map((task): ForestGroup => ({
      heading: task,
      rows: policies.flatMap((policy, i) => {
        const found = policy.tasks.find((each) => each.task === task);
        return found ? [row(policy.label, found, i)] : [];
      }),
    }));
    svgs["success_by_task"] = forest({ title: "Success by task", subtitle, groups });
  }
  if (report.methods) svgs["methods_over_environment_steps"] = figureOfSeed(report.methods, report);
  // Two kinds of states in one figure: the legend says which line is measured on which.
  const reference = { label: `${policies[0]!.label}, held-out states`, rate: policies[0]!.interval.estimate };
  for (const [unit, rows] of Map.groupBy(report.curves, (each) => each.unit)) {
    // Curves and policies that share a label share a colour; the others take the colours after the policies'.
    const labels = [
      ...new Set([...policies.map((policy) => policy.label), ...report.curves.map((each) => each.label)]),
    ];
    svgs[`success_over_${unit}`] = learningCurves({
      title: "Success while learning",
      xLabel: unit.replaceAll("_", " "),
      reference,
      curves: rows.map(({ label, x, success, episodes }) => ({
        label: `${label}, training states`,
        x,
        y: success.map((rate) => rate ?? NaN),
        colour: labels.indexOf(label),
        ...(episodes ? { band: band(success, episodes) } : {}),
      })),
    });
  }
  return svgs;
}

/** Wilson's bounds of each point, taken as a rate of so many independent episodes. */
function band(success: readonly (number | null)[], episodes: readonly (number | null)[]) {
  const bounds = success.map((rate, i) => {
    const n = Math.round(episodes[i] ?? 0);
    return rate === null || n < 1 ? { low: rate ?? NaN, high: rate ?? NaN } : wilson(Math.round(rate * n), n);
  });
  return { low: bounds.map(({ low }) => low), high: bounds.map(({ high }) => high) };
}
