/**
 * LeRobot's running statistics (`compute_stats.RunningQuantileStats`, 0.6.1): moments, range, and quantiles from a histogram
 * of 5,000 bins that is spread anew whenever the range grows. Ours compute in double precision throughout.
 */

/** Name of a quantile. */
export type QuantileName = "q01" | "q10" | "q50" | "q90" | "q99";

/** The quantiles every data set carries, by their names. */
export const quantiles: Readonly<Record<QuantileName, number>> = {
  q01: 0.01,
  q10: 0.1,
  q50: 0.5,
  q90: 0.9,
  q99: 0.99,
};

/** Names of the quantiles, lowest first. */
export const quantileNames = Object.keys(quantiles) as QuantileName[];

/** Statistics of a feature, one number a dimension (a channel, of images). */
export interface FeatureStatistics extends Readonly<Record<QuantileName, readonly number[]>> {
  /** Least value, [D]. */
  readonly min: readonly number[];
  /** Greatest value, [D]. */
  readonly max: readonly number[];
  /** Mean, [D]. */
  readonly mean: readonly number[];
  /** Standard deviation over N, [D]. */
  readonly std: readonly number[];
  /** Frames they were taken from. */
  readonly count: number;
}

/** Bins of a histogram. */
export const BINS = 5000;

/** One dimension's histogram. */
interface Histogram {
  edges: Float64Array;
  counts: Float64Array;
}

/** Statistics of vectors that come in batches. */
export class RunningStatistics {
  readonly #dimensions: number;
  #count = 0;
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  #histograms: Histogram[] = [];

  /** Nothing seen yet. */
  constructor(dimensions: number) {
    this.#dimensions = dimensions;
    this.#mean = new Float64Array(dimensions);
    this.#square = new Float64Array(dimensions);
    this.#min = new Float64Array(dimensions).fill(Infinity);
    this.#max = new Float64Array(dimensions).fill(-Infinity);
  }

  /** Adds rows [N, D], all finite; none is nothing. */
  update(rows: ArrayLike<number>): void {
    const dimensions = this.#dimensions, n = rows.length / dimensions;
    if (n === 0) return;
    const first = this.#count === 0;
    let grown = false;
    const mean = new Float64Array(dimensions), square = new Float64Array(dimensions);
    for (let i = 0; i < rows.length; i++) {
      const d = i % dimensions, x = rows[i]!;
      mean[d]! += x;
      square[d]! += x * x;
      if (x < this.#min[d]!) [this.#min[d], grown] = [x, true];
      if (x > this.#max[d]!) [this.#max[d], grown] = [x, true];
    }
    if (first) {
      this.#histograms = Array.from({ length: dimensions }, (_, d) => ({
        edges: linspace(this.#min[d]! - 1e-10, this.#max[d]! + 1e-10),
        counts: new Float64Array(BINS),
      }));
    } else if (grown) {
      this.#histograms = this.#histograms.map((histogram, d) =>
        spread(histogram, this.#min[d]!, this.#max[d]!)
      );
    }
    this.#count += n;
    const share = n / this.#count;
    for (let d = 0; d < dimensions; d++) {
      this.#mean[d]! += (mean[d]! / n - this.#mean[d]!) * share;
      this.#square[d]! += (square[d]! / n - this.#square[d]!) * share;
    }
    for (let i = 0; i < rows.length; i++) {
      const { edges, counts } = this.#histograms[i % dimensions]!, x = rows[i]!;
      if (x < edges[0]! || x > edges[BINS]!) continue; // as np.histogram does; rounding may leave the least outside
      counts[Math.min(BINS - 1, countUpTo(edges, x) - 1)]!++;
    }
  }

  /**
   * What all rows so far amount to; of a single row the quantiles are the row.
   *
   * @throws {RangeError} when there is no row
   */
  statistics(): FeatureStatistics {
    if (this.#count === 0) {
      throw new RangeError("Cannot take statistics of no rows: give at least one");
    }
    const single = this.#count < 2;
    const at = (q: number) =>
      single
        ? [...this.#mean]
        : this.#histograms.map((histogram) => histogramQuantile(histogram, q * this.#count));
    return {
      min: [...this.#min],
      max: [...this.#max],
      mean: [...this.#mean],
      std: Array.from(this.#square, (square, d) => Math.sqrt(Math.max(0, square - this.#mean[d]! ** 2))),
      count: this.#count,
      ...Object.fromEntries(quantileNames.map((name) => [name, at(quantiles[name])])) as Record<
        QuantileName,
        number[]
      >,
    };
  }
}

/** BINS + 1 edges in NumPy's order of operations. */
function linspace(start: number, stop: number): Float64Array {
  const step = (stop - start) / BINS;
  const edges = Float64Array.from({ length: BINS + 1 }, (_, i) => i * step + start);
  edges[BINS] = stop;
  return edges;
}

/** Counts moved to new bins by the middles of their old ones. */
function spread({ edges, counts }: Histogram, min: number, max: number): Histogram {
  const padding = (max - min) * 1e-10;
  const wider = linspace(min - padding, max + padding);
  const moved = new Float64Array(BINS);
  counts.forEach((count, i) => {
    if (count === 0) return;
    const bin = countBelow(wider, (edges[i]! + edges[i + 1]!) / 2) - 1;
    moved[Math.max(0, Math.min(bin, BINS - 1))]! += count;
  });
  return { edges: wider, counts: moved };
}

function histogramQuantile({ edges, counts }: Histogram, target: number): number {
  let before = 0;
  for (let i = 0; i < BINS; i++) {
    const inside = counts[i]!;
    if (before + inside >= target) {
      if (i === 0) return edges[0]!;
      if (inside === 0) return edges[i]!;
      return edges[i]! + (target - before) / inside * (edges[i + 1]! - edges[i]!);
    }
    before += inside;
  }
  return edges[BINS]!;
}

/** How many of the sorted values are <= x. */
function countUpTo(sorted: Float64Array, x: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many of the sorted values are < x. */
function countBelow(sorted: Float64Array, x: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
