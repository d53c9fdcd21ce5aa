/**
 * Rates, differences and tests in closed form. Every number says from how many cases and by which method it came.
 * What is resampled instead is in bootstrap.ts.
 */
import { normalQuantile, studentQuantile } from "./normal.ts";

/** An estimate with its interval. */
export interface Interval {
  /** The quantity itself. */
  readonly estimate: number;
  /** Lower bound. */
  readonly low: number;
  /** Upper bound. */
  readonly high: number;
  /** Coverage meant, e.g. 0.95. */
  readonly level: number;
  /** Cases behind the estimate: episodes, initial states or runs, as `method` says. */
  readonly n: number;
  /** How the interval was made, in words. */
  readonly method: string;
}

/** A p-value with its name. */
export interface Test {
  /** Two-sided p-value. */
  readonly p: number;
  /** Cases the test rests on. */
  readonly n: number;
  /** The test's name, in words. */
  readonly method: string;
}

function criticalValue(level: number): number {
  if (level > 0 && level < 1) return normalQuantile((1 + level) / 2);
  throw new RangeError(`Cannot make an interval of level ${level}: it must be between 0 and 1`);
}

function checkCount(successes: number, n: number): void {
  if (Number.isInteger(successes) && Number.isInteger(n) && n > 0 && successes >= 0 && successes <= n) return;
  throw new RangeError(
    `Cannot rate ${successes} successes in ${n} episodes: they must be counts, 0 <= successes <= n, n >= 1`,
  );
}

/** Wilson's score bounds of a rate observed in `n` (not necessarily whole) independent cases. */
function score(rate: number, n: number, z: number): [number, number] {
  const centre = (rate + z * z / (2 * n)) / (1 + z * z / n);
  const half = z / (1 + z * z / n) * Math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
  return [rate === 0 ? 0 : Math.max(0, centre - half), rate === 1 ? 1 : Math.min(1, centre + half)];
}

/**
 * Wilson's score interval of a success rate over independent episodes (Wilson 1927).
 *
 * @throws {RangeError} when the counts or the level are impossible
 */
export function wilson(successes: number, n: number, level = 0.95): Interval {
  checkCount(successes, n);
  const [low, high] = score(successes / n, n, criticalValue(level));
  return { estimate: successes / n, low, high, level, n, method: "Wilson" };
}

/** Episodes that share an initial state: how many of `n` succeeded. Rates of different strata (tasks) are not compared. */
export interface Cluster {
  /** Task the initial state belongs to. */
  readonly stratum: string;
  /** Successful episodes, 0 ... n. */
  readonly successes: number;
  /** Episodes. */
  readonly n: number;
}

/**
 * Wilson's interval with the number of episodes divided by their design effect: episodes from one initial state are
 * alike, so they weigh less than independent ones. The design effect is the ratio of the cluster-robust variance
 * (linearised, clusters within strata, m / (m - 1)) to the binomial one, never below 1 (Kish 1965; Korn and Graubard
 * 1998 for rates). Where no variance can be seen, since all episodes agree or a stratum has one cluster only, each
 * initial state counts once.
 *
 * @throws {RangeError} when there is no cluster or a count is impossible
 */
export function wilsonClustered(
  clusters: readonly Cluster[],
  level = 0.95,
): Interval & { readonly designEffect: number } {
  const n = clusters.reduce((sum, cluster) => sum + cluster.n, 0);
  const successes = clusters.reduce((sum, cluster) => sum + cluster.successes, 0);
  checkCount(successes, n);
  const rate = successes / n;
  const variance = clusterVariance(clusters, rate);
  const designEffect = variance > 0 ? Math.max(1, variance / (rate * (1 - rate) / n)) : n / clusters.length;
  const [low, high] = score(rate, n / designEffect, criticalValue(level));
  const method = `Wilson, design effect ${designEffect.toFixed(2)} of ${clusters.length} initial states`;
  return { estimate: rate, low, high, level, n, method, designEffect };
}

/** The cluster-robust variance of a rate; 0 where it cannot be seen. */
function clusterVariance(clusters: readonly Cluster[], rate: number): number {
  const n = clusters.reduce((sum, cluster) => sum + cluster.n, 0);
  let variance = 0;
  for (const members of Map.groupBy(clusters, (cluster) => cluster.stratum).values()) {
    const m = members.length;
    if (m < 2) return 0;
    const residuals = members.map((cluster) => cluster.successes - rate * cluster.n);
    const mean = residuals.reduce((sum, r) => sum + r, 0) / m;
    variance += m / (m - 1) * residuals.reduce((sum, r) => sum + (r - mean) ** 2, 0);
  }
  return variance / (n * n);
}

/**
 * Newcombe's hybrid score interval of a difference a - b of independent rates (Newcombe 1998, method 10).
 *
 * @throws {RangeError} when the counts or the level are impossible
 */
export function newcombe(
  a: { successes: number; n: number },
  b: { successes: number; n: number },
  level = 0.95,
): Interval {
  const [first, second] = [wilson(a.successes, a.n, level), wilson(b.successes, b.n, level)];
  const estimate = first.estimate - second.estimate;
  return {
    estimate,
    low: estimate - Math.hypot(first.estimate - first.low, second.high - second.estimate),
    high: estimate + Math.hypot(first.high - first.estimate, second.estimate - second.low),
    level,
    n: a.n + b.n,
    method: "Newcombe, unpaired",
  };
}

/**
 * Tango's score interval of the difference of paired rates (Tango 1998): the differences that the score test at the
 * likelihood-constrained estimate does not reject. Unlike a bootstrap it stays honest where few or no pairs disagree.
 *
 * @param wins pairs that fail before and succeed after
 * @param losses pairs that succeed before and fail after
 * @param n all pairs, including those that agree
 * @throws {RangeError} when the counts or the level are impossible
 */
export function tango(wins: number, losses: number, n: number, level = 0.95): Interval {
  if (!(wins >= 0 && losses >= 0 && wins + losses <= n && n > 0)) {
    throw new RangeError(
      `Cannot compare ${wins} wins and ${losses} losses in ${n} pairs: they must be counts that sum to at most n, n >= 1`,
    );
  }
  const z = criticalValue(level);
  const estimate = (wins - losses) / n;
  // Rejected on the side of `sign` where positive; falls from the far end to the estimate.
  const excess = (difference: number, sign: 1 | -1) => {
    const b = (2 * n - wins + losses) * difference - wins - losses;
    const c = -losses * difference * (1 - difference);
    const lost = (Math.sqrt(Math.max(0, b * b - 8 * n * c)) - b) / (4 * n); // most likely share of losses
    const variance = n * Math.max(0, 2 * lost + difference * (1 - difference));
    return sign * (wins - losses - n * difference) - z * Math.sqrt(variance);
  };
  const bound = (sign: 1 | -1) => {
    let [outside, inside] = [-sign as number, estimate];
    if (excess(outside, sign) <= 0) return outside;
    while (Math.abs(outside - inside) > 1e-12) {
      const half = (outside + inside) / 2;
      if (excess(half, sign) > 0) outside = half;
      else inside = half;
    }
    return (outside + inside) / 2;
  };
  return { estimate, low: bound(1), high: bound(-1), level, n, method: `Tango, ${n} pairs` };
}

/**
 * McNemar's exact test, two-sided: of the pairs that disagree, are wins and losses equally likely?
 *
 * @param wins pairs that fail before and succeed after
 * @param losses pairs that succeed before and fail after
 */
export function mcnemar(wins: number, losses: number): Test {
  const n = wins + losses;
  let logTerm = -n * Math.LN2; // log of C(n, 0) / 2^n
  let tailSum = 0;
  for (let k = 0; k <= Math.min(wins, losses); k++) {
    tailSum += Math.exp(logTerm);
    logTerm += Math.log((n - k) / (k + 1));
  }
  return { p: Math.min(1, 2 * tailSum), n, method: `exact McNemar, ${wins} won and ${losses} lost` };
}

/**
 * The exact two-sided sign-flip test of paired differences: were before and after exchangeable within each initial
 * state, how often would the sum be as far from 0? With differences -1, 0, 1 it is McNemar's exact test; with several
 * episodes an initial state it stays valid where McNemar's, which takes all pairs as independent, does not.
 *
 * @param differences whole numbers: successes after minus before, one an initial state
 * @throws {RangeError} when a difference is not whole
 */
export function signFlip(differences: readonly number[]): Test {
  const bad = differences.find((d) => !Number.isInteger(d));
  if (bad !== undefined) {
    throw new RangeError(`Cannot flip a difference of ${bad}: it must be a whole number of episodes`);
  }
  const total = differences.reduce((sum, d) => sum + Math.abs(d), 0);
  // law[total + s] = P(sum of the signed differences so far = s)
  let law = new Float64Array(2 * total + 1);
  law[total] = 1;
  let reach = 0;
  for (const step of differences.map(Math.abs)) {
    if (step === 0) continue;
    const next = new Float64Array(law.length);
    for (let s = total - reach; s <= total + reach; s++) {
      next[s - step]! += law[s]! / 2;
      next[s + step]! += law[s]! / 2;
    }
    reach += step;
    law = next;
  }
  const observed = Math.abs(differences.reduce((sum, d) => sum + d, 0));
  const p = law.reduce((sum, probability, s) => Math.abs(s - total) >= observed ? sum + probability : sum, 0);
  return { p: Math.min(1, p), n: differences.length, method: "exact sign flips over initial states" };
}

/** Holm's step-down adjustment of a family of p-values (Holm 1979), in the given order. */
export function holm(p: readonly number[]): number[] {
  const order = p.map((_, i) => i).sort((a, b) => p[a]! - p[b]!);
  const adjusted = Array<number>(p.length);
  let worst = 0;
  order.forEach((i, rank) => {
    worst = Math.max(worst, Math.min(1, (p.length - rank) * p[i]!));
    adjusted[i] = worst;
  });
  return adjusted;
}

/**
 * The mean of a few scores, one a training run, with Student's interval. With two or three runs it is wide, and rightly
 * so: a bootstrap over them would stay between the least and the greatest.
 *
 * @throws {RangeError} when there are fewer than two scores
 */
export function student(scores: readonly number[], level = 0.95): Interval {
  const n = scores.length;
  if (n < 2) throw new RangeError(`Cannot see the spread of ${n} runs: give at least two`);
  const estimate = scores.reduce((sum, x) => sum + x, 0) / n;
  const variance = scores.reduce((sum, x) => sum + (x - estimate) ** 2, 0) / (n - 1);
  criticalValue(level); // refuses an impossible level
  const half = studentQuantile((1 + level) / 2, n - 1) * Math.sqrt(variance / n);
  return { estimate, low: estimate - half, high: estimate + half, level, n, method: `Student, ${n} runs` };
}

/** Chance of finding a true difference, and level of the two-sided test that must find it. */
export interface Power {
  /** Chance of finding the difference, 0 ... 1. */
  readonly power: number;
  /** One minus the test's chance of a false alarm. */
  readonly level: number;
}

/**
 * Episodes an arm to tell two rates apart with independent episodes (normal approximation, pooled variance under the
 * null hypothesis; Fleiss 1981); Infinity for equal rates.
 */
export function episodesToSettle(
  a: number,
  b: number,
  { power, level }: Power = { power: 0.8, level: 0.95 },
): number {
  if (a === b) return Infinity;
  const pooled = (a + b) / 2;
  const null_ = criticalValue(level) * Math.sqrt(2 * pooled * (1 - pooled));
  const alternative = normalQuantile(power) * Math.sqrt(a * (1 - a) + b * (1 - b));
  return Math.ceil(((null_ + alternative) / (a - b)) ** 2);
}

/**
 * Initial states that would settle a difference as large as the one found, if their variance stays what the interval
 * shows (half-width falling with the root of n); Infinity for no difference.
 */
export function statesToSettle(
  found: Interval,
  { power, level }: Power = { power: 0.8, level: 0.95 },
): number {
  if (found.estimate === 0) return Infinity;
  const deviation = (found.high - found.low) / 2 / criticalValue(found.level);
  const wanted = criticalValue(level) + normalQuantile(power);
  return Math.ceil(found.n * (wanted * deviation / found.estimate) ** 2);
}
