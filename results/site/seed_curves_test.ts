import assert from "node:assert/strict";
import { encodeTable } from "../../data/table.ts";
import { metricsOf, seedCurve } from "./seed_curves.ts";

const table = (values: number[], xs = values.map((_, i) => 10 * i)) =>
  encodeTable({
    steps: Float64Array.from(xs),
    success: Float64Array.from(values),
    episodes: Float64Array.from(values, () => 20),
  });

Deno.test("seedCurve() draws one seed with Wilson's band, several with Student's, and says n", () => {
  const one = seedCurve("a", "success", [{ seed: 0, bytes: table([0.5, 0.9]) }], 100)!;
  assert.deepEqual([one.x, one.mean, one.n], [[0, 10], [0.5, 0.9], [1, 1]]);
  // Wilson's interval of 10 in 20: scipy.stats.binomtest(10, 20).proportion_ci(method="wilson").
  assert.ok(Math.abs(one.low[0]! - 0.2992980082) < 1e-9 && Math.abs(one.high[0]! - 0.7007019918) < 1e-6);
  const seeds = [[0.2, 0.4], [0.4, 0.6], [0.6, NaN]].map((values, seed) => ({ seed, bytes: table(values) }));
  const three = seedCurve("a", "success", seeds, 100)!;
  assert.deepEqual(three.n, [3, 2]);
  assert.ok(Math.abs(three.mean[0]! - 0.4) < 1e-12);
  // 0.4 -+ t(0.975, 2) * 0.2 / sqrt(3) = 0.4 -+ 0.4968275: cut at 0.
  assert.equal(three.low[0], 0);
  assert.ok(Math.abs(three.high[0]! - 0.8968275) < 1e-6);
  assert.match(three.method, /mean of 3 seeds/);
  assert.equal(seedCurve("a", "loss", seeds, 100), undefined);
  const later = seedCurve("a", "success", [...seeds, { seed: 9, bytes: table([1], [77]) }], 100)!;
  assert.deepEqual([later.x, later.n, later.low[2]], [[0, 10, 77], [3, 2, 1], null]);
});

Deno.test("seedCurve() leaves out tables that count no steps", () => {
  const ledger = encodeTable({ task: ["a", "b"], success: Float64Array.of(0, 1) });
  const repeated = table([0.1, 0.2], [5, 5]);
  for (const bytes of [ledger, repeated]) {
    assert.deepEqual(metricsOf(bytes), []);
    assert.equal(seedCurve("a", "success", [{ seed: 0, bytes }], 10), undefined);
  }
  assert.deepEqual(metricsOf(table([0.1, 0.2])), ["success", "episodes"]);
});
