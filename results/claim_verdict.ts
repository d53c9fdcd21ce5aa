/** Judges a claim on what was measured. */
import { stream } from "../random.ts";
import type { Claim, SuccessClaim } from "./claim.ts";
import { decodeEvaluation, type Outcome, rate, uplift } from "./evaluation.ts";
import { percent, percentBounds, pointBounds, points } from "./format.ts";
import { type Interval, student } from "./statistics.ts";

/** The stored evaluations of one seed. */
export interface Measured {
  /** The seed. */
  readonly seed: number;
  /** Digest and bytes of each evaluation the claim names, by label; undefined for one that is not in the store. */
  readonly evaluations: Readonly<
    Record<string, { readonly digest: string; readonly bytes: Uint8Array } | undefined>
  >;
}

/** A claim, judged. */
export interface Verdict {
  /** "fails" also where the interval reaches over the margin: then the claim is not shown, which `reason` says. */
  readonly verdict: "holds" | "fails" | "not yet measured";
  /** Why, in words. */
  readonly reason: string;
  /** The quantity with its interval; null where nothing is to be estimated or episodes are missing. */
  readonly interval: Interval | null;
  /** The quantity of each seed measured. */
  readonly seeds: readonly { readonly seed: number; readonly estimate: number }[];
  /** Episodes (pairs, of a difference) behind it. */
  readonly n: number;
}

/** Labels of the evaluations that a claim needs. */
export function labelsOf({ metric }: Claim): string[] {
  if ("identical" in metric) return [...metric.identical];
  return metric.over === undefined ? [metric.success] : [metric.success, metric.over];
}

/**
 * Judges a claim.
 *
 * @throws {RangeError} when an evaluation cannot be read
 */
export function judge(claim: Claim, measured: readonly Measured[]): Verdict {
  const missing = claim.seeds.filter((seed) => {
    const found = measured.find((each) => each.seed === seed);
    return !found || labelsOf(claim).some((label) => !found.evaluations[label]);
  });
  const waiting = (reason: string, rest: Partial<Verdict> = {}): Verdict => ({
    verdict: "not yet measured",
    reason,
    interval: null,
    seeds: [],
    n: 0,
    ...rest,
  });
  if (missing.length > 0) {
    return waiting(`seed${missing.length > 1 ? "s" : ""} ${missing.join(", ")} not in the store`);
  }
  const all = claim.seeds.map((seed) => measured.find((each) => each.seed === seed)!);
  if (!("comparison" in claim)) return identical(claim.metric.identical, all);
  const found = estimate(claim, all);
  if (found.n < claim.n) return waiting(`measured on ${found.n} of ${claim.n} episodes`, found);
  return { ...found, ...decide(claim, found.interval) };
}

function identical([a, b]: readonly [string, string], measured: readonly Measured[]): Verdict {
  const other = measured.find(({ evaluations }) => evaluations[a]!.digest !== evaluations[b]!.digest);
  return {
    verdict: other ? "fails" : "holds",
    reason: other ? `${a} and ${b} differ with seed ${other.seed}` : `${a} and ${b} are equal in every byte`,
    interval: null,
    seeds: [],
    n: measured.length,
  };
}

/** The quantity of a claim with its interval. */
function estimate(claim: SuccessClaim & { readonly name: string }, measured: readonly Measured[]) {
  const { metric: { success, over }, test } = claim;
  const outcomes = (label: string) =>
    measured.map(({ evaluations }, i) =>
      // Episodes of two seeds under one noise stream are two episodes from one initial state.
      decodeEvaluation(evaluations[label]!.bytes, label).map((each) => ({
        ...each,
        noise: each.noise + i * SEED,
      }))
    );
  const after = outcomes(success);
  const before = over === undefined ? undefined : outcomes(over);
  const draws = (...path: (string | number)[]) => stream(0, "claim", claim.name, ...path);
  const of = (after: readonly Outcome[], before: readonly Outcome[] | undefined, ...path: number[]) => {
    if (!before) {
      const { interval, episodes } = rate(after);
      return { interval, n: episodes };
    }
    const { interval, pairs } = uplift(before, after, draws(...path));
    return { interval, n: pairs };
  };
  const single = after.map((rows, i) => of(rows, before?.[i], measured[i]!.seed));
  const seeds = measured.map(({ seed }, i) => ({ seed, estimate: single[i]!.interval.estimate }));
  const n = single.reduce((sum, each) => sum + each.n, 0);
  const interval = test === "seeds"
    ? student(seeds.map(({ estimate }) => estimate))
    : of(after.flat(), before?.flat()).interval;
  return { interval, seeds, n };
}

// More than there are noise streams.
const SEED = 1_000_000;

function decide(
  { comparison, margin, metric }: SuccessClaim,
  { low, high, ...interval }: Interval,
): Pick<Verdict, "verdict" | "reason"> {
  const holds = comparison === "above"
    ? low > margin
    : comparison === "below"
    ? high < margin
    : low > -margin && high < margin;
  const refuted = comparison === "above"
    ? high <= margin
    : comparison === "below"
    ? low >= margin
    : low >= margin || high <= -margin;
  const text = metric.over === undefined
    ? `${percent(interval.estimate)} ${percentBounds({ ...interval, low, high })}`
    : `${points(interval.estimate)} ${pointBounds({ ...interval, low, high })}`;
  const why = holds ? "" : refuted ? ", refuted" : ", not shown";
  return { verdict: holds ? "holds" : "fails", reason: `${text}${why}` };
}

/** What a claim wants, in words: "+10.0 above", "90.0 %". */
export function wanted(claim: Claim): string {
  if (!("comparison" in claim)) return "identical";
  const { comparison, margin, metric } = claim;
  const size = metric.over === undefined ? percent(margin) : points(margin);
  return comparison === "within" ? `within ±${size.replace("+", "")}` : `${comparison} ${size}`;
}
