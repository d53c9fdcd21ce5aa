/** How the guidance of a policy was chosen: success on training states by guidance. */
import { decodeTable, numbers } from "../data/table.ts";
import { percent } from "./format.ts";

/** Scores of one policy, ascending in guidance. */
export interface GuidanceRow {
  /** Name of the policy. */
  readonly label: string;
  /** Success on training states, 0 ... 1, of so many episodes. */
  readonly scores: readonly {
    readonly guidance: number;
    readonly success: number;
    readonly episodes: number;
  }[];
  /** The guidance with the highest success, the least one among equals. */
  readonly chosen: number;
}

/** Reads a table with a column "guidance"; undefined for any other table. */
export function guidanceRow(label: string, bytes: Uint8Array): GuidanceRow | undefined {
  const table = decodeTable(bytes);
  if (!("guidance" in table)) return undefined;
  const [guidance, success, episodes] = ["guidance", "success", "episodes"].map((name) =>
    numbers(table, name)
  );
  const scores = Array.from(
    guidance!,
    (s, i) => ({ guidance: s, success: success![i]!, episodes: episodes![i]! }),
  )
    .sort((a, b) => a.guidance - b.guidance);
  const best = scores.reduce((best, score) => score.success > best.success ? score : best);
  return { label, scores, chosen: best.guidance };
}

/** Head, alignment and rows of the report's table of guidances. */
export function guidanceTable(rows: readonly GuidanceRow[]) {
  const all = [...new Set(rows.flatMap(({ scores }) => scores.map(({ guidance }) => guidance)))]
    .sort((a, b) => a - b);
  return {
    head: ["policy", ...all.map((s) => `s = ${s}`), "training episodes each", "chosen"],
    align: "l" + "r".repeat(all.length + 2),
    rows: rows.map(({ label, scores, chosen }) => [
      label,
      ...all.map((s) => {
        const score = scores.find(({ guidance }) => guidance === s);
        return score ? percent(score.success) : "-";
      }),
      [...new Set(scores.map(({ episodes }) => episodes))].join(", "),
      String(chosen),
    ]),
  };
}

/** What the table means. */
export const guidanceNote =
  "Success on training states that no rollout to learn from starts in, by guidance s. The chosen s is evaluated on " +
  "held-out states under the policy's name; the other rows of that table had no part in the choice.";
