/** Success of a run in the few numbers that lists show. */
import type { RunRecord } from "../../lab/store.ts";
import { decodeEvaluation, rate } from "../evaluation.ts";
import type { Report } from "../report.ts";
import type { Reader } from "./reader.ts";

/** Success of one run's policies, as far as the list shows it. */
export interface Scores {
  /** Label of the first policy. */
  readonly before: string;
  /** Its success rate, 0 ... 1. */
  readonly beforeRate: number;
  /** Its interval. */
  readonly beforeInterval: readonly [low: number, high: number];
  /** Label of the second policy; null when there is one policy only. */
  readonly after: string | null;
  /** Its success rate. */
  readonly afterRate: number | null;
  /** Its interval. */
  readonly afterInterval: readonly [low: number, high: number] | null;
  /** Its uplift over the first; null where no report tells. */
  readonly uplift: number | null;
  /** The uplift's interval. */
  readonly upliftInterval: readonly [low: number, high: number] | null;
  /** Episodes of the first policy. */
  readonly episodes: number;
}

/**
 * The scores of a finished run: from the stored report, which is cheap; without one the rates alone, from the stored
 * tables, which is only done where `tables` says so. Undefined where it would have to be; null where there are none.
 */
export function scoresOf(
  { plan, keys, result }: RunRecord,
  reader: Reader,
  { tables }: { tables: boolean },
): Scores | null | undefined {
  const labels = Object.keys(plan.evaluations);
  if (labels.length === 0 || result === null) return null;
  try {
    const report = reader.report(plan.definition, plan.seed, result) as unknown as Report | undefined;
    if (!report && !tables) return undefined;
    const policies = report?.policies ?? labels.map((label) => {
      const { stage, output } = plan.evaluations[label]!;
      const digest = reader.outcome(keys[stage]!)!.outputs[output]!.digest;
      return { label, ...rate(decodeEvaluation(reader.read(digest), label)) };
    });
    const before = policies[0]!;
    // The one its experiment names next, not the best: the largest of several would look better than it is.
    const after = policies[1] ?? null;
    const row = report?.comparisons.find((row) => row.label === after?.label && row.against === before.label);
    return {
      before: before.label,
      beforeRate: before.interval.estimate,
      beforeInterval: [before.interval.low, before.interval.high],
      after: after?.label ?? null,
      afterRate: after?.interval.estimate ?? null,
      afterInterval: after && [after.interval.low, after.interval.high],
      uplift: row?.interval.estimate ?? null,
      upliftInterval: row ? [row.interval.low, row.interval.high] : null,
      episodes: before.episodes,
    };
  } catch {
    return null; // gone or damaged outputs: the experiment's page says which
  }
}
