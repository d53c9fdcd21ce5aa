/** Methods side by side on one seed: what each learned from and cost, and its success on training states on the way. */
import { decodeTable, numbers } from "../data/table.ts";
import type { MethodStages } from "../lab/method_stages.ts";
import { type Curve, learningCurves } from "./charts.ts";
import type { ComparisonRow } from "./comparisons.ts";
import { count, duration, percent, percentBounds, pointBounds, points } from "./format.ts";
import type { PolicyRow, StageRow } from "./report.ts";
import { type Interval, wilson } from "./statistics.ts";

/** What a method used; stages that the first policy needs are not counted, nor evaluations on held-out states. */
export interface MethodCost {
  /** Environment steps of episodes to learn from, kept or not. */
  readonly environmentSteps: number;
  /** Environment steps on training states that only chose: among checkpoints, among guidances. */
  readonly choosingSteps: number;
  /** Gradient steps. */
  readonly gradientSteps: number;
  /** Seconds of computing, over all its stages. */
  readonly seconds: number;
}

/** Success on training states after so many environment steps to learn from. */
export interface MethodPoint {
  /** Environment steps to learn from, so far. */
  readonly environmentSteps: number;
  /** Rate of the deterministic policy, 0 ... 1. */
  readonly success: number;
  /** Episodes behind it. */
  readonly episodes: number;
}

/** A method. */
export interface MethodRow {
  /** Label of the evaluation of what it ends with. */
  readonly label: string;
  /** What it used. */
  readonly cost: MethodCost;
  /** Its way there, ascending in environment steps. */
  readonly points: readonly MethodPoint[];
}

/**
 * Counts a method's stages and puts its tables on one axis. A table with a column environment_steps is the curve of a
 * stage that acts and learns at once: its last row says how many of the stage's steps were learned from, the others
 * chose among checkpoints. A table without is one point, its best row, after the stages before it.
 *
 * @throws {TypeError} when a table lacks a column
 */
export function methodRow(method: MethodStages, stages: readonly StageRow[]): MethodRow {
  const tables = new Map(method.progress.map(({ stage, table }) => [stage, decodeTable(table)]));
  const spent = new Map(stages.map((stage) => [stage.name, stage]));
  const learned = (name: string): number => {
    const table = tables.get(name);
    if (table && "environment_steps" in table) return numbers(table, "environment_steps").at(-1)!;
    return method.collecting.includes(name) ? spent.get(name)!.budget.environmentSteps : 0;
  };
  const sum = (names: readonly string[], of: (name: string) => number) =>
    names.reduce((total, name) => total + of(name), 0);
  const environmentSteps = sum(method.stages, learned);
  const all = sum(method.stages, (name) => spent.get(name)!.budget.environmentSteps);
  const along = method.progress.flatMap(({ stage, before }): MethodPoint[] => {
    const table = tables.get(stage)!, offset = sum(before, learned);
    const [success, episodes] = [numbers(table, "success"), numbers(table, "episodes")];
    if (!("environment_steps" in table)) {
      const best = success.indexOf(Math.max(...success));
      return [{ environmentSteps: offset, success: success[best]!, episodes: episodes[best]! }];
    }
    return Array.from(numbers(table, "environment_steps"), (steps, i) => ({
      environmentSteps: offset + steps,
      success: success[i]!,
      episodes: episodes[i]!,
    }));
  });
  return {
    label: method.label,
    cost: {
      environmentSteps,
      choosingSteps: all - environmentSteps,
      gradientSteps: sum(method.stages, (name) => spent.get(name)!.budget.gradientSteps),
      seconds: sum(method.stages, (name) => spent.get(name)!.seconds),
    },
    points: along,
  };
}

/** Head and alignment of a table of methods. */
export const methodsTable = {
  head: [
    "method",
    "success",
    "95 %",
    "uplift",
    "95 %",
    "environment steps",
    "to choose",
    "gradient steps",
    "time",
  ],
  align: "lrrrrrrrr",
} as const;

/** Cells of a table of methods; of the policy that all start from, there is no uplift and no cost. */
export function methodCells(
  { label, success, uplift, cost }: {
    readonly label: string;
    readonly success: Interval;
    readonly uplift?: Interval;
    readonly cost?: MethodCost;
  },
): string[] {
  return [
    label,
    percent(success.estimate),
    percentBounds(success),
    ...(uplift ? [points(uplift.estimate), pointBounds(uplift)] : ["", ""]),
    ...(cost
      ? [
        count(cost.environmentSteps),
        count(cost.choosingSteps),
        count(cost.gradientSteps),
        duration(cost.seconds),
      ]
      : ["", "", "", ""]),
  ];
}

/** What the table's columns count. */
export const methodsNote = "Success and uplift on held-out initial states; the uplift is paired over them. " +
  "Environment steps: episodes to learn from, kept or not. To choose: steps on training states by which checkpoints " +
  "or guidances were chosen. What the first policy needed is in no row, since all start from it.";

/** Rows of one seed's table, from the report's policies and comparisons with the first of them. */
export function methodsRows(
  methods: readonly MethodRow[],
  { policies, comparisons }: {
    readonly policies: readonly PolicyRow[];
    readonly comparisons: readonly ComparisonRow[];
  },
): string[][] {
  const [first] = policies;
  const rows = methods.map(({ label, cost }) => {
    const success = policies.find((policy) => policy.label === label)!.interval;
    const uplift = comparisons.find((row) => row.label === label && row.against === first!.label)!.interval;
    return methodCells({ label, success, uplift, cost });
  });
  return [methodCells({ label: first!.label, success: first!.interval }), ...rows];
}

/** Success over environment steps: lines on training states, and where each ended on held-out ones. */
export function methodsFigure(
  { title, before, methods }: {
    readonly title: string;
    readonly before: { readonly label: string; readonly rate: number };
    readonly methods: readonly (
      & Pick<Curve, "label" | "x" | "y" | "band">
      & { readonly end: NonNullable<Curve["end"]> }
    )[];
  },
): string {
  return learningCurves({
    title,
    xLabel: "environment steps learned from; lines: training states, dots with whiskers: held-out states",
    reference: { label: `${before.label}, held-out states`, rate: before.rate },
    curves: methods.map((method, i) => ({ ...method, colour: i + 1 })),
  });
}

/** The figure of one seed; bands are Wilson's, over a point's episodes. */
export function figureOfSeed(
  methods: readonly MethodRow[],
  { policies, seed }: { readonly policies: readonly PolicyRow[]; readonly seed: number },
): string {
  return methodsFigure({
    title: `Success over environment steps, seed ${seed}`,
    before: { label: policies[0]!.label, rate: policies[0]!.interval.estimate },
    methods: methods.map(({ label, cost, points }) => {
      const bounds = points.map(({ success, episodes }) => wilson(Math.round(success * episodes), episodes));
      return {
        label,
        x: points.map(({ environmentSteps }) => environmentSteps),
        y: points.map(({ success }) => success),
        band: { low: bounds.map(({ low }) => low), high: bounds.map(({ high }) => high) },
        end: {
          x: cost.environmentSteps,
          interval: policies.find((policy) => policy.label === label)!.interval,
        },
      };
    }),
  });
}
