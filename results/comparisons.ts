/** Policies compared in pairs: each with the first one, and further pairs an experiment asks about. */
import { stream } from "../random.ts";
import { type Outcome, type Uplift, uplift } from "./evaluation.ts";
import { holm, statesToSettle } from "./statistics.ts";

/** A further pair to compare, by labels of evaluations: is `after` better than `before`? */
export interface Pair {
  /** Label of the policy whose uplift is wanted. */
  readonly after: string;
  /** Label of the policy it is compared with. */
  readonly before: string;
}

/** An uplift with its place in a family of comparisons. */
export interface Comparison extends Uplift {
  /** p adjusted for the family by Holm's method; null where there was no test. */
  readonly holm: number | null;
  /** Initial states that would settle a difference of this size with 80 % power; null where the interval leaves out 0. */
  readonly settle: number | null;
}

/** A policy compared with another; all rows are one family, the tasks of a row another. */
export interface ComparisonRow extends Comparison {
  /** Name of the policy. */
  readonly label: string;
  /** Name of the policy it is compared with. */
  readonly against: string;
  /** The same by task. */
  readonly tasks: readonly (Comparison & { readonly task: string })[];
}

/** Episodes of a policy under its label. */
export type Labelled = readonly [label: string, outcomes: readonly Outcome[]];

/**
 * Compares all policies but the first with the first, then the further pairs, as one family.
 *
 * @throws {RangeError} when a pair names a policy that is not there
 */
export function compareAll(
  policies: readonly Labelled[],
  further: readonly Pair[],
  tasks: readonly string[],
): ComparisonRow[] {
  const find = (label: string): Labelled => {
    const found = policies.find(([each]) => each === label);
    if (found) return found;
    throw new RangeError(
      `Cannot compare evaluation "${label}": there are ${policies.map(([each]) => each).join(", ")}`,
    );
  };
  const pairs = [
    ...policies.slice(1).map((after) => ({ before: policies[0]!, after, path: ["uplift", after[0]] })),
    ...further.map(({ before, after }) => ({
      before: find(before),
      after: find(after),
      path: ["pair", after, before],
    })),
  ];
  const rows = family(
    pairs.map(({ before, after, path }) => uplift(before[1], after[1], stream(0, "report", ...path))),
  );
  return pairs.map(({ before, after, path }, i): ComparisonRow => {
    const earlier = new Map(byTask(before[1], tasks));
    const shared = byTask(after[1], tasks).filter(([task]) => earlier.has(task));
    const perTask = family(
      shared.map(([task, rows]) => uplift(earlier.get(task)!, rows, stream(0, "report", ...path, task))),
    );
    const byShared = shared.map(([task], k) => ({ task, ...perTask[k]! }));
    return { label: after[0], against: before[0], ...rows[i]!, tasks: byShared };
  });
}

/** Rows by task, for the tasks that occur. */
export function byTask(rows: readonly Outcome[], tasks: readonly string[]): [string, Outcome[]][] {
  const groups = Map.groupBy(rows, (row) => row.task);
  return tasks.flatMap((task) => groups.has(task) ? [[task, groups.get(task)!]] : []);
}

/** How tables name a comparison: by its policy, and "x over y" where that is not the first one, `reference`. */
export function comparisonName(
  { label, against }: Pick<ComparisonRow, "label" | "against">,
  reference: string,
): string {
  return against === reference ? label : `${label} over ${against}`;
}

/** Adjusts the tests of comparisons that are read together. */
function family(rows: readonly Uplift[]): Comparison[] {
  const tested = rows.filter((row) => row.test !== null);
  const adjusted = new Map(holm(tested.map((row) => row.test!.p)).map((p, i) => [tested[i], p]));
  return rows.map((row) => {
    const { low, high } = row.interval;
    const states = row.pairs > 0 && low <= 0 && high >= 0 ? statesToSettle(row.interval) : null;
    return {
      ...row,
      holm: adjusted.get(row) ?? null,
      settle: states !== null && Number.isFinite(states) ? states : null,
    };
  });
}
