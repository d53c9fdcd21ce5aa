import assert from "node:assert/strict";
import { minMax } from "./decimate.ts";

Deno.test("minMax() keeps ends, spikes and gaps of a long series, and all of a short one", () => {
  const n = 10_000;
  const x = Array.from({ length: n }, (_, i) => i);
  const y = x.map((i) => Math.sin(i / 500));
  y[1234] = 9;
  y[7777] = -9;
  y[5000] = NaN;
  const kept = minMax(x, y, 100);
  assert.ok(kept.length <= 302, String(kept.length));
  for (const i of [0, 1234, 5000, 7777, n - 1]) assert.ok(kept.includes(i), String(i));
  assert.deepEqual(kept, kept.toSorted((a, b) => a - b));
  assert.deepEqual(minMax(x, y, 100), kept);
  assert.deepEqual(minMax([5, 6, 7], [1, 2, 3], 2), [0, 1, 2]);
  assert.deepEqual(minMax([], [], 4), []);
  assert.equal(minMax(Array(50).fill(3), x.slice(0, 50), 4).length, 2, "x without extent");
});
