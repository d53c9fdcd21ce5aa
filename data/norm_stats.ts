/**
 * Units of published policies: statistics as openpi's `norm_stats.json` and LeRobot's `meta/stats.json` hold them, and the
 * formulas that each project normalises by. They differ by a constant against division by zero, which decides everything in
 * a dimension that hardly moves: a policy must be given the formula it was trained with.
 */
import type { Normalization } from "./normalization.ts";

/** Statistics of one vector of D numbers. */
export interface VectorStatistics {
  /** Rows they were taken from, where that is known. */
  readonly count?: number;
  /** [D]. */
  readonly mean: readonly number[];
  /** [D], >= 0. */
  readonly std: readonly number[];
  /** 1 % quantile, [D]. */
  readonly q01?: readonly number[];
  /** 99 % quantile, [D]. */
  readonly q99?: readonly number[];
}

/** Whose formula: openpi's (src/openpi/transforms.py) or LeRobot's (processor/normalize_processor.py). */
export const formulas = ["openpi", "lerobot"] as const;

/** How vectors are normalised. */
export interface UnitFormula {
  /** z-scores, or quantiles at -1 and 1. */
  readonly kind: Normalization["kind"];
  /** Which project's formula. */
  readonly formula: (typeof formulas)[number];
}

/** What keeps a dimension from a division by zero: added to every scale, or put in the place of a zero. */
const OPENPI = 1e-6, LEROBOT = 1e-8;

/**
 * A vector normalised, nothing clipped:
 *
 *   openpi   (x - mean) / (std + 1e-6)     2 (x - q01) / (q99 - q01 + 1e-6) - 1
 *   LeRobot  (x - mean) / (std + 1e-8)     2 (x - q01) / (q99 - q01) - 1, with 1e-8 for a difference of 0
 *
 * @throws {RangeError} when the widths differ
 */
export function normalizedBy(
  statistics: VectorStatistics,
  { kind, formula }: UnitFormula,
  x: ArrayLike<number>,
): Float64Array {
  const { low, wide } = terms(statistics, { kind, formula }, x.length);
  if (kind === "z-score") return map(x, (value, d) => (value - low[d]!) / wide[d]!);
  return map(x, (value, d) => (value - low[d]!) / wide[d]! * 2 - 1);
}

/**
 * The way back. LeRobot's for z-scores is x std + mean, without the constant, so that a dimension with std 0 gives its mean.
 *
 * @throws {RangeError} when the widths differ
 */
export function denormalizedBy(
  statistics: VectorStatistics,
  { kind, formula }: UnitFormula,
  y: ArrayLike<number>,
): Float64Array {
  const { low, wide } = terms(statistics, { kind, formula }, y.length);
  if (kind === "quantile") return map(y, (value, d) => (value + 1) / 2 * wide[d]! + low[d]!);
  const scale = formula === "lerobot" ? statistics.std : wide;
  return map(y, (value, d) => value * scale[d]! + low[d]!);
}

/**
 * The same as a normalisation of this house, which stages take as an input: equal to `normalizedBy` but for rounding, and
 * to `denormalizedBy` but for LeRobot's 1e-8.
 *
 * @throws {RangeError} when quantiles are wanted and there are none
 */
export function unitsOf(statistics: VectorStatistics, how: UnitFormula): Normalization {
  const { low, wide } = terms(statistics, how, statistics.mean.length);
  const quantile = how.kind === "quantile";
  return {
    kind: how.kind,
    n: statistics.count ?? 0,
    center: quantile ? low.map((q01, d) => q01 + wide[d]! / 2) : [...low],
    scale: quantile ? wide.map((width) => width / 2) : wide,
    clip: null,
  };
}

/** What is subtracted and what is divided by, before the quantiles' 2 ... - 1. */
function terms(
  { mean, std, q01, q99 }: VectorStatistics,
  { kind, formula }: UnitFormula,
  width: number,
): { low: readonly number[]; wide: number[] } {
  if (mean.length !== width) {
    throw new RangeError(
      `Cannot normalize ${width} numbers by statistics of ${mean.length}: they must be as many`,
    );
  }
  if (kind === "z-score") {
    const least = formula === "openpi" ? OPENPI : LEROBOT;
    return { low: mean, wide: std.map((s) => s + least) };
  }
  if (!q01 || !q99) throw new RangeError("Cannot normalize by quantiles: the statistics have no q01 and q99");
  const wide = q99.map((high, d) => high - q01[d]!);
  return { low: q01, wide: wide.map((w) => formula === "openpi" ? w + OPENPI : w === 0 ? LEROBOT : w) };
}

const map = (x: ArrayLike<number>, f: (value: number, d: number) => number) => Float64Array.from(x, f);

/**
 * Reads statistics by name: openpi's `norm_stats.json` ("state", "actions") or LeRobot's `meta/stats.json`, of which
 * features of images are left out.
 *
 * @param where the file, for messages
 * @throws {SyntaxError} when the bytes are no such file; one line that names it
 */
export function readNormStats(bytes: Uint8Array, where: string): Record<string, VectorStatistics> {
  const refuse = (wanted: string) => new SyntaxError(`Cannot read statistics from ${where}: ${wanted}`);
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw refuse("it is no JSON");
  }
  if (!isRecord(document)) throw refuse("it must be a map");
  const named = isRecord(document.norm_stats) ? document.norm_stats : document;
  const statistics: Record<string, VectorStatistics> = {};
  for (const [name, entry] of Object.entries(named)) {
    if (!isRecord(entry) || !("mean" in entry)) throw refuse(`"${name}" has no mean and std`);
    if (Array.isArray(entry.mean) && entry.mean.some(Array.isArray)) continue; // [3, 1, 1]: a picture's channels
    const { mean, std, q01, q99, count } = entry;
    const width = Array.isArray(mean) ? mean.length : 0;
    const vector = (what: string, numbers: unknown, least = -Infinity): number[] => {
      const whole = Array.isArray(numbers) && numbers.length === width && width > 0 &&
        numbers.every((x) => typeof x === "number" && Number.isFinite(x) && x >= least);
      if (!whole) throw refuse(`${what} of "${name}" must be ${width || "some"} finite numbers`);
      return numbers;
    };
    const rows = Array.isArray(count) ? count[0] : count;
    const both = q01 != null && q99 != null;
    statistics[name] = {
      ...(Number.isInteger(rows) ? { count: rows as number } : {}),
      mean: vector("mean", mean),
      std: vector("std", std, 0),
      ...(both ? { q01: vector("q01", q01), q99: vector("q99", q99) } : {}),
    };
  }
  if (Object.keys(statistics).length === 0) throw refuse("it names no vector");
  return statistics;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
