import assert from "node:assert/strict";
import { encodeTable } from "../data/table.ts";
import { weightingRow, weightingTable, weightingWarnings } from "./weighting.ts";

const table = (
  { successes = 120, betas = [3, 0], effective = [0.4, 1] }: {
    successes?: number;
    betas?: number[];
    effective?: number[];
  } = {},
) => {
  const each = (value: number) => Float64Array.from(betas, () => value);
  return encodeTable({
    beta: Float64Array.from(betas),
    rollouts: each(300),
    successes: each(successes),
    chunks: each(41_000),
    advantage_deviation: each(0.5),
    advantage_low: each(-1),
    advantage_high: each(0.75),
    cut: each(0),
    effective: Float64Array.from(effective),
    success_share: each(0.6),
  });
};

Deno.test("weightingRow() sorts by beta; the table has a row for each", () => {
  const row = weightingRow("weights", table())!;
  assert.deepEqual(row.betas.map(({ beta }) => beta), [0, 3]);
  const { head, align, rows } = weightingTable([row]);
  assert.equal(head.length, align.length);
  assert.deepEqual(rows[1], [
    ...["weights", "300", "40.0 %", "41,000", "0.500", "-1.00 ... 0.750", "3", "40.0 %", "60.0 %", "0.0 %"],
  ]);
  assert.deepEqual(weightingWarnings([row]), [], "even weights are meant at beta 0");
});

Deno.test("weightingWarnings() says when weighting cannot matter", () => {
  const warned = (of: Parameters<typeof table>[0]) =>
    weightingWarnings([weightingRow("weights", table(of))!]);
  assert.match(warned({ successes: 300 })[0]!, /: all of the 300 rollouts succeeded, .* cannot matter/);
  assert.match(warned({ successes: 0 })[0]!, /: none of the 300 rollouts succeeded/);
  assert.match(
    warned({ betas: [0, 0.01, 3], effective: [1, 0.999, 0.4] })[0]!,
    /: with beta 0.01 the weights are as good as equal \(advantages deviate by 0.50\)/,
  );
});

Deno.test("weightingRow() passes over other tables", () => {
  assert.equal(weightingRow("curve", encodeTable({ gradient_steps: Int32Array.of(1) })), undefined);
});
