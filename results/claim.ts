/**
 * Claims: what an experiment should show, stated before it is run, in a form that is executed and not retyped. A claim
 * names metric, comparison, margin, episodes and seeds; `exp claims` judges it on stored results.
 */
import type { Json } from "../lab/canonical.ts";

/** Success of one policy, or of one minus another, by labels of evaluations. */
export interface SuccessMetric {
  /** Label of the policy. */
  readonly success: string;
  /** Label of the policy it is compared with, episode by episode; absent for the success itself. */
  readonly over?: string;
}

/** What is said of a success. */
export interface SuccessClaim {
  /** What is measured. */
  readonly metric: SuccessMetric;
  /** Which side of the margin the whole 95 % interval must lie on; "within" is between -margin and +margin. */
  readonly comparison: "above" | "below" | "within";
  /** In rates: 0.1 is ten points. */
  readonly margin: number;
  /**
   * What the interval resamples. "episodes": the episodes of all seeds, by initial state; it speaks of these trained
   * policies. "seeds": one value a seed, Student's interval; it speaks of training once more.
   */
  readonly test: "episodes" | "seeds";
  /** Episodes over all seeds (pairs, of a difference) that the claim rests on; with fewer it is not yet measured. */
  readonly n: number;
}

/** What is said of two policies that must act alike. */
export interface IdentityClaim {
  /** Labels of evaluations whose tables must be equal in every byte, for each seed. */
  readonly metric: { readonly identical: readonly [string, string] };
}

/** A claim. */
export type Claim = (SuccessClaim | IdentityClaim) & {
  /** The file's name with dashes: claims/a_over_b.ts is "a-over-b". */
  readonly name: string;
  /** The claim in a sentence. */
  readonly statement: string;
  /** The day on which it was stated, YYYY-MM-DD: what was measured earlier was not foretold. */
  readonly stated: string;
  /** Name of the experiment. */
  readonly experiment: string;
  /** Its version. */
  readonly version: number;
  /** One of its presets. */
  readonly preset?: string;
  /** Hyperparameters that are not at the experiment's own values, by dotted path. */
  readonly settings?: Readonly<Record<string, Json>>;
  /** Seeds that must all be measured. */
  readonly seeds: readonly number[];
};

/**
 * States a claim.
 *
 * @throws {RangeError} when its name, date, seeds, margin or n have a wrong form
 */
export function defineClaim(claim: Claim): Claim {
  const { name, stated, seeds } = claim;
  const refuse = (what: string) => {
    throw new RangeError(`Cannot state claim "${name}"${what.startsWith(":") ? "" : " "}${what}`);
  };
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    refuse(": its name must be lower-case words joined by dashes");
  }
  if (!/^\d{4}-\d{2}-\d{2}$/.test(stated) || Number.isNaN(Date.parse(stated))) {
    refuse(`on "${stated}": write the day as YYYY-MM-DD`);
  }
  const whole = seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0);
  if (seeds.length === 0 || !whole || new Set(seeds).size < seeds.length) {
    refuse(`for seeds [${seeds}]: list non-negative integers, each once`);
  }
  if ("comparison" in claim) {
    const { margin, n, test, comparison, metric } = claim;
    if (!(margin >= (metric.over === undefined || comparison === "within" ? 0 : -1) && margin <= 1)) {
      refuse(`with a margin of ${margin}: give a rate`);
    }
    if (comparison === "within" && metric.over === undefined) {
      refuse('with comparison "within": only a difference can be near zero');
    }
    if (!Number.isSafeInteger(n) || n < 1) refuse(`on ${n} episodes: give a positive integer`);
    if (test === "seeds" && seeds.length < 2) refuse("over one seed: a test over seeds needs two");
  }
  return claim;
}
