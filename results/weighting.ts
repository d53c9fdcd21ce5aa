/** What weights exp(β A) make of the rollouts that a policy learns from, and whether weighting can matter at all. */
import { decodeTable, numbers } from "../data/table.ts";
import { count, percent } from "./format.ts";

/** Chunks of a set of rollouts, their advantages, and their weights by β. */
export interface WeightingRow {
  /** Name of the table. */
  readonly label: string;
  /** Episodes rolled out. */
  readonly rollouts: number;
  /** How many of them succeeded. */
  readonly successes: number;
  /** Chunks that are learned from. */
  readonly chunks: number;
  /** Standard deviation of the advantages, in units of the return. */
  readonly deviation: number;
  /** Their 5 % quantile. */
  readonly low: number;
  /** Their 95 % quantile. */
  readonly high: number;
  /** By β: share of weights at the cap; effective share of chunks; share of all weight on chunks of successes. */
  readonly betas: readonly {
    readonly beta: number;
    readonly cut: number;
    readonly effective: number;
    readonly successShare: number;
  }[];
}

/** From this effective share on weights are as good as equal. */
const EVEN = 0.99;

/** Reads a table with columns beta, effective and success_share; undefined for any other table. */
export function weightingRow(label: string, bytes: Uint8Array): WeightingRow | undefined {
  const table = decodeTable(bytes);
  if (!["beta", "effective", "success_share"].every((name) => name in table)) return undefined;
  const [betas, cut, effective, share] = ["beta", "cut", "effective", "success_share"].map((name) =>
    Array.from(numbers(table, name))
  );
  if (betas!.length === 0) return undefined;
  const first = (name: string) => numbers(table, name)[0]!;
  return {
    label,
    rollouts: first("rollouts"),
    successes: first("successes"),
    chunks: first("chunks"),
    deviation: first("advantage_deviation"),
    low: first("advantage_low"),
    high: first("advantage_high"),
    betas: betas!.map((beta, i) => ({
      beta,
      cut: cut![i]!,
      effective: effective![i]!,
      successShare: share![i]!,
    })).sort((a, b) => a.beta - b.beta),
  };
}

/** A sentence for each reason why weights cannot matter. */
export function weightingWarnings(rows: readonly WeightingRow[]): string[] {
  return rows.flatMap(({ label, rollouts, successes, deviation, betas }) => {
    if (successes === 0 || successes === rollouts) {
      return [
        `Warning: ${label}: ${successes === 0 ? "none" : "all"} of the ${
          count(rollouts)
        } rollouts succeeded, ` +
        "so no chunk is known to be better than another: weighting cannot matter. " +
        "Roll out a base that does both.",
      ];
    }
    const even = betas.filter(({ beta, effective }) => beta > 0 && effective >= EVEN);
    if (even.length === 0) return [];
    return [
      `Warning: ${label}: with beta ${
        even.map(({ beta }) => beta).join(", ")
      } the weights are as good as equal ` +
      `(advantages deviate by ${deviation.toPrecision(2)}): weighting cannot matter there. Raise beta.`,
    ];
  });
}

/** Head, alignment and rows of the report's table of weights. */
export function weightingTable(rows: readonly WeightingRow[]) {
  return {
    head: [
      "weights",
      "rollouts",
      "succeeded",
      "chunks",
      "advantage, sd",
      "5 % ... 95 %",
      "β",
      "effective",
      "on successes",
      "at the cap",
    ],
    align: "lrrrrrrrrr",
    rows: rows.flatMap((row) =>
      row.betas.map(({ beta, effective, successShare, cut }) => [
        row.label,
        count(row.rollouts),
        percent(row.successes / row.rollouts),
        count(row.chunks),
        row.deviation.toPrecision(3),
        `${row.low.toPrecision(3)} ... ${row.high.toPrecision(3)}`,
        String(beta),
        percent(effective),
        percent(successShare),
        percent(cut),
      ])
    ),
  };
}

/** What the table means. */
export const weightingNote =
  "Weights min(exp(β A), cap) of the chunks that were executed. Effective: how many equal weights would scatter as " +
  "much, (Σ w)² / Σ w², as a share of the chunks. On successes: share of all weight on chunks of successful rollouts.";
