/** What several seeds of one definition say together, as the lists show it. */
import { student } from "../statistics.ts";
import type { Scores } from "./scores.ts";

/** A quantity with its interval; null where nothing was measured. */
export interface Summary {
  /** Of one seed its value, of several their mean. */
  readonly rate: number | null;
  /** Of one seed its interval over episodes, of several Student's over the seeds, cut at what the quantity can be. */
  readonly bounds: readonly [low: number, high: number] | null;
}

/** Before, after and uplift over seeds. */
export function overSeeds(scores: readonly Scores[]): { before: Summary; after: Summary; uplift: Summary } {
  return {
    before: summary(scores.map((s) => [s.beforeRate, s.beforeInterval]), 0),
    after: summary(scores.map((s) => [s.afterRate, s.afterInterval]), 0),
    uplift: summary(scores.map((s) => [s.uplift, s.upliftInterval]), -1),
  };
}

function summary(
  each: readonly (readonly [number | null, readonly [number, number] | null])[],
  least: number,
): Summary {
  const measured = each.flatMap(([value, bounds]) => value === null ? [] : [{ value, bounds }]);
  if (measured.length === 0) return { rate: null, bounds: null };
  if (measured.length === 1) return { rate: measured[0]!.value, bounds: measured[0]!.bounds };
  const { estimate, low, high } = student(measured.map(({ value }) => value));
  return { rate: estimate, bounds: [Math.max(least, low), Math.min(1, high)] };
}
