/** Several seeds of one experiment side by side: what a single run's interval cannot show, the spread of training. */
import { stream } from "../random.ts";
import { aggregate } from "./bootstrap.ts";
import { forest } from "./charts.ts";
import { comparisonName } from "./comparisons.ts";
import type { Rate } from "./evaluation.ts";
import { percent, percentBounds, pointBounds, points } from "./format.ts";
import { type PooledMethods, poolMethods, showMethods } from "./pooled_methods.ts";
import type { Report } from "./report.ts";
import { alignedTable, markdownTable } from "./report_text.ts";
import { type Interval, student } from "./statistics.ts";

/** A quantity of each seed, and its aggregates over seeds. */
export interface Spread {
  /** Name of the policy, or "x over y" of an uplift that is not over the first policy. */
  readonly label: string;
  /** Over all tasks, one value a seed. */
  readonly seeds: readonly number[];
  /** Of these values, with Student's interval. */
  readonly mean: Interval;
  /** Over tasks and seeds, with rliable's stratified bootstrap. */
  readonly iqm: Interval;
}

/** The aggregate of some seeds. */
export interface SeedsReport {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Version of the experiment. */
  readonly version: number;
  /** The seeds, in the order of `Spread.seeds`. */
  readonly seeds: readonly number[];
  /** Names of the tasks. */
  readonly tasks: readonly string[];
  /** Success rate by policy. */
  readonly success: readonly Spread[];
  /** Success minus that of the first policy, or between the further pairs, within each seed. */
  readonly uplift: readonly Spread[];
  /** Methods side by side, seeds pooled; absent where there are none. */
  readonly methods?: PooledMethods;
}

/**
 * Mean and interquartile mean of success and uplift over seeds: what to expect of training once more. Student's
 * interval around the mean is honest with few seeds; the interval of the IQM resamples seeds within each task (rliable's
 * stratified bootstrap), cannot leave the range of the seeds, and should be read from five seeds on.
 *
 * @param evaluations tables by label, of each report: what methods are pooled from
 * @throws {RangeError} when there are fewer than two reports, they differ in experiment, version, policies,
 * comparisons or tasks, or a seed occurs twice
 */
export function aggregateSeeds(
  reports: readonly Report[],
  evaluations?: readonly Readonly<Record<string, Uint8Array>>[],
): { json: SeedsReport; markdown: string; svgs: Record<string, string>; console: string } {
  const first = reports[0];
  if (!first || reports.length < 2) {
    throw new RangeError(`Cannot aggregate ${reports.length} reports: give at least two seeds`);
  }
  for (const report of reports) agree(report, first);
  const seeds = reports.map((report) => report.seed);
  if (new Set(seeds).size < seeds.length) {
    throw new RangeError(`Cannot aggregate seeds ${seeds.join(", ")}: each must be there once`);
  }
  const spread = (
    quantity: string,
    label: string,
    values: readonly number[],
    byTask: readonly (readonly number[])[],
  ) => ({
    label,
    seeds: values,
    mean: within(student(values), quantity === "success" ? 0 : -1),
    iqm: aggregate(byTask.length > 0 ? byTask : [values], "iqm", {
      stream: stream(0, "seeds", quantity, label),
    }),
  });
  const estimate = ({ interval }: { readonly interval: Interval }) => interval.estimate;
  const success = first.policies.map(({ label, tasks }, i): Spread => {
    const byTask = tasks.map((_, t) => reports.map((report) => estimate(report.policies[i]!.tasks[t]!)));
    return spread("success", label, reports.map((report) => estimate(report.policies[i]!)), byTask);
  });
  const uplift = first.comparisons.map((row, i): Spread => {
    const { tasks } = row;
    const byTask = tasks.map((_, t) => reports.map((report) => estimate(report.comparisons[i]!.tasks[t]!)));
    const label = comparisonName(row, first.policies[0]!.label);
    return spread("uplift", label, reports.map((report) => estimate(report.comparisons[i]!)), byTask);
  });
  const { experiment, version, tasks } = first;
  const methods = first.methods && evaluations ? poolMethods(reports, evaluations) : undefined;
  const json: SeedsReport = {
    ...{ experiment, version, seeds, tasks, success, uplift },
    ...(methods ? { methods } : {}),
  };
  const shown = methods ? showMethods(methods, seeds) : { markdown: [], console: [], svgs: {} };
  return {
    json,
    markdown: [markdown(json, first), ...shown.markdown].join("\n\n") + "\n",
    svgs: { success_by_seed: figure(reports, json), ...shown.svgs },
    console: [terminal(json, first), ...shown.console].join("\n\n") + "\n",
  };
}

function agree(report: Report, first: Report): void {
  const identity = (r: Report) =>
    JSON.stringify([
      r.experiment,
      r.version,
      r.policies.map(({ label, tasks }) => [label, tasks.map((t) => t.task)]),
      r.comparisons.map(({ label, against }) => [label, against]),
      r.worlds ?? [],
    ]);
  if (identity(report) === identity(first)) return;
  throw new RangeError(
    `Cannot aggregate seed ${report.seed} of "${report.experiment}" v${report.version} with seed ${first.seed} of ` +
      `"${first.experiment}" v${first.version}: experiment, version, policies, comparisons, tasks and worlds must be equal`,
  );
}

/** Cuts an interval at what the quantity can be. */
function within(interval: Interval, least: number): Interval {
  return { ...interval, low: Math.max(least, interval.low), high: Math.min(1, interval.high) };
}

const successCells = ({ label, seeds, mean, iqm }: Spread) => [
  label,
  ...seeds.map((rate) => percent(rate)),
  percent(mean.estimate),
  percentBounds(mean),
  percent(iqm.estimate),
  percentBounds(iqm),
];

const upliftCells = ({ label, seeds, mean, iqm }: Spread) => [
  label,
  ...seeds.map(points),
  points(mean.estimate),
  pointBounds(mean),
  points(iqm.estimate),
  pointBounds(iqm),
];

const head = (seeds: readonly number[]) => [
  "policy",
  ...seeds.map((seed) => `seed ${seed}`),
  "mean",
  "95 %",
  "IQM",
  "95 %",
];

function markdown({ experiment, version, seeds, success, uplift }: SeedsReport, first: Report): string {
  const align = "l" + "r".repeat(seeds.length + 4);
  const against = first.policies[0]!.label;
  return [
    `# ${experiment} v${version}, seeds ${seeds.join(", ")}`,
    first.summary,
    ...(first.worlds ?? []).map((world) => `${world}.`),
    "![success by seed](success_by_seed.svg)",
    "## Success",
    markdownTable(head(seeds), align, success.map(successCells)),
    ...(uplift.length > 0
      ? [`## Uplift over ${against}, points`, markdownTable(head(seeds), align, uplift.map(upliftCells))]
      : []),
    `Intervals: of the mean, ${success[0]!.mean.method}; of the ${success[0]!.iqm.method}, percentile` +
    `${seeds.length < 5 ? ", which cannot leave the range of so few seeds" : ""}.`,
  ].join("\n\n");
}

function terminal({ experiment, version, seeds, success, uplift }: SeedsReport, first: Report): string {
  const align = "l" + "r".repeat(seeds.length + 4);
  const rows = [
    ...success.map(successCells),
    ...uplift.map((spread) => upliftCells({ ...spread, label: `uplift of ${spread.label}` })),
  ];
  const heading = [`${experiment} v${version}, seeds ${seeds.join(", ")}`, ...first.worlds ?? []].join("\n");
  return `${heading}\n\n${alignedTable(head(seeds), align, rows)}`;
}

function figure(reports: readonly Report[], { experiment, version, success }: SeedsReport): string {
  const row = (label: string, { successes, episodes, interval }: Rate, colour: number) => ({
    label,
    interval,
    count: `${successes}/${episodes}`,
    colour,
  });
  return forest({
    title: "Success by seed",
    subtitle:
      `${experiment} v${version} · 95 % intervals: of each seed over its episodes, of the mean over seeds`,
    groups: success.map(({ label, mean }, i) => ({
      heading: label,
      rows: [
        ...reports.map((report) => row(`seed ${report.seed}`, report.policies[i]!, i)),
        { label: "mean", interval: mean, count: `${reports.length} seeds`, colour: i },
      ],
    })),
  });
}
