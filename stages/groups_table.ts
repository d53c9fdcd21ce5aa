/** The ledger of a round of groups: one row a context that was tried. */
import { decodeTable, encodeTable, numbers, strings } from "../data/table.ts";
import type { Group } from "../rl/ript.ts";

/** A group with what it cost and whether it is learned from. */
export interface LedgerGroup extends Group {
  /** Whether the group is learned from. */
  readonly kept: boolean;
  /** Control steps of its rollouts. */
  readonly environmentSteps: number;
}

/** Writes groups in the order they were tried. */
export function encodeGroups(groups: readonly LedgerGroup[]): Uint8Array {
  return encodeTable({
    task: groups.map(({ task }) => task),
    index: Int32Array.from(groups, ({ index }) => index),
    rollouts: Int32Array.from(groups, ({ rollouts }) => rollouts),
    successes: Int32Array.from(groups, ({ successes }) => successes),
    kept: Uint8Array.from(groups, ({ kept }) => Number(kept)),
    environment_steps: Int32Array.from(groups, ({ environmentSteps }) => environmentSteps),
  });
}

/** Reads what `encodeGroups` wrote. */
export function decodeGroups(bytes: Uint8Array): LedgerGroup[] {
  const table = decodeTable(bytes);
  const [index, rollouts, successes, kept, steps] = [
    "index",
    "rollouts",
    "successes",
    "kept",
    "environment_steps",
  ]
    .map((name) => numbers(table, name));
  return strings(table, "task").map((task, i) => ({
    task,
    index: index![i]!,
    rollouts: rollouts![i]!,
    successes: successes![i]!,
    kept: kept![i] === 1,
    environmentSteps: steps![i]!,
  }));
}
