/** Methods side by side over several seeds: episodes pooled, pairs within a seed, initial states as clusters. */
import { compareAll, type ComparisonRow } from "./comparisons.ts";
import { decodeEvaluation, type Rate, rate } from "./evaluation.ts";
import { percent, pointBounds, points, pValue } from "./format.ts";
import {
  methodCells,
  type MethodCost,
  type MethodPoint,
  methodsFigure,
  methodsNote,
  methodsTable,
} from "./methods.ts";
import type { Report } from "./report.ts";
import { alignedTable, markdownTable } from "./report_text.ts";
import type { Interval } from "./statistics.ts";

/** A method over all seeds. */
export interface PooledMethod extends Rate {
  /** Label of the evaluation of what it ends with. */
  readonly label: string;
  /** Success rate of each seed. */
  readonly seeds: readonly number[];
  /** Mean over seeds. */
  readonly cost: MethodCost;
  /** Mean over seeds, point by point, with the least and greatest success. */
  readonly points: readonly (MethodPoint & { readonly low: number; readonly high: number })[];
}

/** Methods over all seeds. */
export interface PooledMethods {
  /** The policy that all start from. */
  readonly before: Rate & { readonly label: string; readonly seeds: readonly number[] };
  /** In the order of the experiment. */
  readonly methods: readonly PooledMethod[];
  /** Each over the first policy, then each pair, the later over the earlier: one family for Holm's method. */
  readonly comparisons: readonly ComparisonRow[];
}

// More than there are noise streams.
const SEED = 1_000_000;
const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/**
 * Pools the methods of several seeds.
 *
 * @param evaluations tables by label, of each report
 * @throws {RangeError} when the curves of a method have different lengths
 */
export function poolMethods(
  reports: readonly Report[],
  evaluations: readonly Readonly<Record<string, Uint8Array>>[],
): PooledMethods {
  const first = reports[0]!, rows = first.methods!;
  const labels = [first.policies[0]!.label, ...rows.map(({ label }) => label)];
  // Episodes of two seeds under one noise stream are two episodes from one initial state.
  const pooled = labels.map((label) =>
    [
      label,
      evaluations.flatMap((tables, i) =>
        decodeEvaluation(tables[label]!, label).map((each) => ({ ...each, noise: each.noise + i * SEED }))
      ),
    ] as const
  );
  const pairs = rows.flatMap(({ label: before }, i) =>
    rows.slice(i + 1).map(({ label: after }) => ({ after, before }))
  );
  const success = (label: string) => {
    const policy = (report: Report) => report.policies.find((each) => each.label === label)!;
    const outcomes = pooled.find(([each]) => each === label)![1];
    return { label, ...rate(outcomes), seeds: reports.map((report) => policy(report).interval.estimate) };
  };
  return {
    before: success(labels[0]!),
    methods: rows.map(({ label }, i) => {
      const each = reports.map((report) => report.methods![i]!);
      return {
        ...success(label),
        cost: meanCost(each.map(({ cost }) => cost)),
        points: meanPoints(label, each),
      };
    }),
    comparisons: compareAll(pooled, pairs, first.tasks),
  };
}

function meanCost(costs: readonly MethodCost[]): MethodCost {
  const mean = (name: keyof MethodCost) => average(costs.map((cost) => cost[name]));
  return {
    environmentSteps: mean("environmentSteps"),
    choosingSteps: mean("choosingSteps"),
    gradientSteps: mean("gradientSteps"),
    seconds: mean("seconds"),
  };
}

function meanPoints(label: string, each: readonly { readonly points: readonly MethodPoint[] }[]) {
  const lengths = new Set(each.map(({ points }) => points.length));
  if (lengths.size > 1) {
    throw new RangeError(
      `Cannot average the curves of "${label}": they have ${[...lengths].join(" and ")} points`,
    );
  }
  return each[0]!.points.map((_, i) => {
    const at = each.map(({ points }) => points[i]!);
    const rates = at.map(({ success }) => success);
    return {
      environmentSteps: average(at.map(({ environmentSteps }) => environmentSteps)),
      success: average(rates),
      episodes: at.reduce((sum, { episodes }) => sum + episodes, 0),
      low: Math.min(...rates),
      high: Math.max(...rates),
    };
  });
}

/** Rows of the table of methods, with the rate of each seed, and of the table of pairs. */
function tables({ before, methods, comparisons }: PooledMethods, seeds: readonly number[]) {
  const [name, ...columns] = methodsTable.head;
  const uplift = (label: string) =>
    comparisons.find((row) => row.label === label && row.against === before.label)!.interval;
  const row = (policy: PooledMethods["before"], rest: { uplift?: Interval; cost?: MethodCost } = {}) => {
    const [label, ...cells] = methodCells({ label: policy.label, success: policy.interval, ...rest });
    return [label!, ...policy.seeds.map((rate) => percent(rate)), ...cells];
  };
  return {
    methods: [
      [name, ...seeds.map((seed) => `seed ${seed}`), ...columns],
      "l" + "r".repeat(seeds.length) + methodsTable.align.slice(1),
      [
        row(before),
        ...methods.map((method) => row(method, { uplift: uplift(method.label), cost: method.cost })),
      ],
    ],
    pairs: [
      ["comparison", "points", "95 %", "won / lost", "p", "p (Holm)"],
      "lrrrrr",
      comparisons.map((row) => [
        `${row.label} over ${row.against}`,
        points(row.interval.estimate),
        pointBounds(row.interval),
        `${row.wins} / ${row.losses}`,
        pValue(row.test?.p ?? null),
        pValue(row.holm),
      ]),
    ],
  } as const;
}

/** The pooled methods as Markdown, for the terminal, and as the figure that the Markdown names. */
export function showMethods(pooled: PooledMethods, seeds: readonly number[]) {
  const { methods, pairs } = tables(pooled, seeds);
  const { before, comparisons } = pooled;
  const note =
    `${methodsNote} Seeds pooled: ${before.episodes} episodes of a policy from ${before.states} initial ` +
    "states; rates: Wilson with the design effect of the states; uplifts: bootstrap over the states, pairs within a " +
    `seed; p: exact sign flips over the states, Holm over all ${comparisons.length} comparisons. These intervals tell ` +
    "what other initial states would change; what training once more would change is in the columns of the seeds. " +
    "Steps and time: means over seeds.";
  return {
    markdown: [
      "## Methods, seeds pooled",
      `![success over environment steps](${FIGURE}.svg)`,
      "Lines: mean over seeds on training states; bands: least and greatest seed. Dots: pooled, on held-out states.",
      markdownTable(...methods),
      markdownTable(...pairs),
      note,
    ],
    console: [alignedTable(...methods), alignedTable(...pairs)],
    svgs: {
      [FIGURE]: methodsFigure({
        title: `Success over environment steps, seeds ${seeds.join(", ")}`,
        before: { label: before.label, rate: before.interval.estimate },
        methods: pooled.methods.map(({ label, interval, cost, points }) => ({
          label,
          x: points.map(({ environmentSteps }) => environmentSteps),
          y: points.map(({ success }) => success),
          band: { low: points.map(({ low }) => low), high: points.map(({ high }) => high) },
          end: { x: cost.environmentSteps, interval },
        })),
      }),
    },
  };
}

const FIGURE = "methods_over_environment_steps";
