import assert from "node:assert/strict";
import { encodeTable } from "../data/table.ts";
import { groupsRow, groupsTable } from "./groups.ts";
import { buildReport } from "./report.ts";

/** A ledger of groups of four. */
const ledger = (successes: readonly number[]) =>
  encodeTable({
    task: successes.map(() => "a"),
    index: Int32Array.from(successes.keys()),
    rollouts: new Int32Array(successes.length).fill(4),
    successes: Int32Array.from(successes),
    kept: Uint8Array.from(successes, (n) => Number(n > 0 && n < 4)),
    environment_steps: Int32Array.from(successes, (n) => 100 * n + 10),
  });

Deno.test("groupsRow() sums a ledger up", () => {
  const row = groupsRow("groups", ledger([0, 4, 2, 0, 3, 0, 0, 3]))!;
  // 12 of 32 rollouts: p = 3/8, and 1 - p^4 - (1 - p)^4 = (4096 - 81 - 625) / 4096.
  assert.deepEqual(row, {
    label: "groups",
    rollouts: 4,
    tried: 8,
    kept: 3,
    environmentSteps: 1280,
    success: 0.375,
    histogram: [4, 0, 1, 2, 1],
    mixed: 3 / 8,
    expectedMixed: 3390 / 4096,
  });
  assert.deepEqual(groupsTable.cells(row), [
    ...["groups", "8", "3", "32", "12", "1,280", "37.5 %", "37.5 %", "82.8 %", "4 0 1 2 1"],
  ]);
  assert.equal(groupsTable.head.length, groupsTable.align.length);
});

Deno.test("groupsRow() passes over tables that are no ledger, and empty ones", () => {
  assert.equal(
    groupsRow("curve", encodeTable({ steps: Int32Array.of(1), success: Float64Array.of(0.5) })),
    undefined,
  );
  assert.equal(groupsRow("groups", ledger([])), undefined);
});

Deno.test("a report sums ledgers up and tables guidances, and draws neither as a learning curve", () => {
  const numbered = (values: readonly number[]) => Int32Array.from(values);
  const evaluation = encodeTable({
    task: ["a", "a"],
    index: numbered([0, 1]),
    noise: numbered([0, 0]),
    success: Uint8Array.of(1, 0),
    length: numbered([50, 160]),
  });
  const scores = encodeTable({
    guidance: Float64Array.of(1, 2),
    success: Float64Array.of(0.25, 0.5),
    episodes: numbered([8, 8]),
  });
  const { json, markdown, svgs } = buildReport({
    ...{
      experiment: "e",
      version: 1,
      summary: "s",
      seed: 0,
      result: "r",
      hyperparameters: {},
      overrides: [],
    },
    stages: [],
    evaluations: { base: evaluation },
    curves: { groups: ledger([0, 4, 2]), policy: scores },
  });
  assert.deepEqual(json.groups!.map(({ label, kept }) => [label, kept]), [["groups", 1]]);
  assert.deepEqual(json.guidance!.map(({ label, chosen }) => [label, chosen]), [["policy", 2]]);
  assert.deepEqual(json.curves, []);
  assert.deepEqual(Object.keys(svgs), ["success"]);
  assert.match(
    markdown,
    /## Groups\n\n\| round .*\n.*\n\| groups \| 3 \| 1 \| 12 \| 4 \| 630 \| 50\.0 % \| 33\.3 %/,
  );
  assert.match(markdown, /## Guidance\n\n.*\n.*\n\| policy \| 25\.0 % \| 50\.0 % \| 8 \| 2 \|/);
});
