/** What a ledger of groups says: rollouts tried and kept, how often the K of a context succeeded, the share of use. */
import { type Columns, decodeTable, numbers } from "../data/table.ts";
import { count, percent } from "./format.ts";

/** A round of groups of K rollouts, each group from one initial state. */
export interface GroupsRow {
  /** Name of the round. */
  readonly label: string;
  /** K. */
  readonly rollouts: number;
  /** Contexts tried. */
  readonly tried: number;
  /** Contexts learned from. */
  readonly kept: number;
  /** Control steps of all rollouts tried. */
  readonly environmentSteps: number;
  /** Success rate of all rollouts tried, on training states. */
  readonly success: number;
  /** Contexts by their number of successes, [K + 1]. */
  readonly histogram: readonly number[];
  /** Share of contexts with successes and failures. */
  readonly mixed: number;
  /** 1 - p^K - (1 - p)^K: that share if every context succeeded with probability p, the success rate. */
  readonly expectedMixed: number;
}

/** Whether a table is a ledger of groups: columns rollouts, successes, kept and environment_steps. */
export function isLedger(table: Columns): boolean {
  return ["rollouts", "successes", "kept", "environment_steps"].every((name) => name in table);
}

/** Sums a ledger up; undefined for any other table, and for one without rows. */
export function groupsRow(label: string, bytes: Uint8Array): GroupsRow | undefined {
  const table = decodeTable(bytes);
  if (!isLedger(table)) return undefined;
  const column = (name: string) => Array.from(numbers(table, name));
  const successes = column("successes"), [rollouts] = column("rollouts");
  if (rollouts === undefined) return undefined;
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const tried = successes.length, p = sum(successes) / (tried * rollouts);
  const histogram = Array<number>(rollouts + 1).fill(0);
  for (const n of successes) histogram[n]!++;
  return {
    label,
    rollouts,
    tried,
    kept: sum(column("kept")),
    environmentSteps: sum(column("environment_steps")),
    success: p,
    histogram,
    mixed: successes.filter((n) => n > 0 && n < rollouts).length / tried,
    expectedMixed: 1 - p ** rollouts - (1 - p) ** rollouts,
  };
}

/** Head, alignment and cells of the report's table of groups. */
export const groupsTable = {
  head: [
    "round",
    "groups tried",
    "kept",
    "rollouts tried",
    "kept",
    "environment steps",
    "success",
    "mixed",
    "if all alike",
    "contexts by successes, 0 ... K",
  ],
  align: "lrrrrrrrrl",
  cells: (row: GroupsRow): string[] => [
    row.label,
    count(row.tried),
    count(row.kept),
    count(row.tried * row.rollouts),
    count(row.kept * row.rollouts),
    count(row.environmentSteps),
    percent(row.success),
    percent(row.mixed),
    percent(row.expectedMixed),
    row.histogram.join(" "),
  ],
  note:
    "Rollouts in groups of K from one training state. Success: of all rollouts tried, with the policy that " +
    "collected them. Mixed: contexts with successes and failures; beside it 1 - p^K - (1 - p)^K, what that share " +
    "would be if every context succeeded with the same probability p.",
} as const;
