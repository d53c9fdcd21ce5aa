/** Learning curves of several seeds as one line with a band. Statistics come from all points; decimation is last. */
import { decodeTable, numbers } from "../../data/table.ts";
import { student, wilson } from "../statistics.ts";
import { minMax } from "./decimate.ts";

/** One metrics table of one seed. */
export interface SeedTable {
  /** The seed. */
  readonly seed: number;
  /** Arrow IPC file whose first column counts steps. */
  readonly bytes: Uint8Array;
}

/** A curve over seeds, as the page draws it. Lists are as long as `x`; null where nothing was measured. */
export interface SeedCurve {
  /** Name of the curve. */
  readonly label: string;
  /** What x counts. */
  readonly unit: string;
  /** The column drawn. */
  readonly metric: string;
  /** Steps, ascending. */
  readonly x: readonly number[];
  /** Of one seed its value, of several their mean. */
  readonly mean: readonly (number | null)[];
  /** Bounds of the band; all null where there is none. */
  readonly low: readonly (number | null)[];
  /** See `low`. */
  readonly high: readonly (number | null)[];
  /** Seeds behind each point. */
  readonly n: readonly number[];
  /** How band and points were made, in words. */
  readonly method: string;
}

/** Whether a table is a curve: its first column counts steps, ever upwards. Ledgers of groups and the like are not. */
function isCurve(table: ReturnType<typeof decodeTable>): boolean {
  const steps = Object.values(table)[0];
  if (!steps || Array.isArray(steps)) return false;
  return steps.every((step: number, i: number) => i === 0 || step > steps[i - 1]!);
}

/** Names of the numeric columns of a table of metrics, without the first, which counts steps; none of other tables. */
export function metricsOf(bytes: Uint8Array): string[] {
  const table = decodeTable(bytes);
  if (!isCurve(table)) return [];
  return Object.entries(table).slice(1).filter(([, values]) => !Array.isArray(values)).map(([name]) => name);
}

/**
 * The curve of one metric over the seeds' tables; undefined when no table has it.
 *
 * @param buckets stretches of x that keep their least and greatest point
 */
export function seedCurve(
  label: string,
  metric: string,
  tables: readonly SeedTable[],
  buckets: number,
): SeedCurve | undefined {
  const decoded = tables.map(({ bytes }) => decodeTable(bytes))
    .filter((table) => metric in table && isCurve(table) && !Array.isArray(table[metric]));
  const first = decoded[0];
  if (!first) return undefined;
  const unit = Object.keys(first)[0]!;
  const at = new Map<number, { value: number; episodes: number }[]>();
  for (const table of decoded) {
    const values = numbers(table, metric);
    const episodes = metric === "success" && "episodes" in table ? numbers(table, "episodes") : undefined;
    numbers(table, unit).forEach((step: number, i: number) => {
      const value = values[i]!;
      const here = at.get(step) ?? [];
      if (Number.isFinite(value)) here.push({ value, episodes: episodes?.[i] ?? 0 });
      at.set(step, here);
    });
  }
  const x = [...at.keys()].sort((a, b) => a - b);
  const points = x.map((step) => point(at.get(step)!, decoded.length, metric === "success"));
  const kept = minMax(x, points.map(({ mean }) => mean ?? NaN), buckets);
  const pick = <T>(of: (p: ReturnType<typeof point>) => T) => kept.map((i) => of(points[i]!));
  const made = decoded.length > 1
    ? `mean of ${decoded.length} seeds, band: Student's 95 % interval`
    : `1 seed${
      points.some(({ low }) => low !== null) ? ", band: Wilson's 95 % interval over its episodes" : ""
    }`;
  const shown = kept.length < x.length
    ? `, ${kept.length} of ${x.length} points (least and greatest of each stretch)`
    : "";
  return {
    label,
    unit,
    metric,
    x: kept.map((i) => x[i]!),
    mean: pick(({ mean }) => mean),
    low: pick(({ low }) => low),
    high: pick(({ high }) => high),
    n: pick(({ n }) => n),
    method: made + shown,
  };
}

function point(values: readonly { value: number; episodes: number }[], seeds: number, isRate: boolean) {
  const n = values.length;
  if (n === 0) return { mean: null, low: null, high: null, n };
  if (n > 1) {
    const { estimate, low, high } = student(values.map(({ value }) => value));
    return isRate
      ? { mean: estimate, low: Math.max(0, low), high: Math.min(1, high), n }
      : { mean: estimate, low, high, n };
  }
  const { value, episodes } = values[0]!;
  const count = Math.round(episodes);
  // A point that only one of several seeds has shows no band: the others' spread is unknown there.
  if (seeds > 1 || count < 1) return { mean: value, low: null, high: null, n };
  const { low, high } = wilson(Math.round(value * count), count);
  return { mean: value, low, high, n };
}
