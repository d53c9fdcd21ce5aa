import assert from "node:assert/strict";
import { encodeTable } from "../data/table.ts";
import { guidanceRow, guidanceTable } from "./guidance.ts";

const table = (scores: readonly (readonly [guidance: number, success: number])[]) =>
  encodeTable({
    guidance: Float64Array.from(scores, ([s]) => s),
    success: Float64Array.from(scores, ([, success]) => success),
    episodes: Int32Array.from(scores, () => 20),
  });

Deno.test("guidanceRow() sorts, and names the least of the best", () => {
  const row = guidanceRow("cfg-flow", table([[3, 0.5], [1, 0.4], [2, 0.5]]))!;
  assert.deepEqual(row.scores.map(({ guidance }) => guidance), [1, 2, 3]);
  assert.equal(row.chosen, 2);
  const other = guidanceRow("other", table([[1, 0.25]]))!;
  assert.deepEqual(guidanceTable([row, other]), {
    head: ["policy", "s = 1", "s = 2", "s = 3", "training episodes each", "chosen"],
    align: "lrrrrr",
    rows: [["cfg-flow", "40.0 %", "50.0 %", "50.0 %", "20", "2"], ["other", "25.0 %", "-", "-", "20", "1"]],
  });
});

Deno.test("guidanceRow() passes over other tables", () => {
  assert.equal(
    guidanceRow("curve", encodeTable({ steps: Int32Array.of(1), success: Float64Array.of(1) })),
    undefined,
  );
});
