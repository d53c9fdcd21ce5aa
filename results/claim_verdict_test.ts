import assert from "node:assert/strict";
import { encodeTable } from "../data/table.ts";
import { defineClaim } from "./claim.ts";
import { judge, type Measured } from "./claim_verdict.ts";
import { student, wilson } from "./statistics.ts";

const BASE = {
  name: "a-over-b",
  statement: "a beats b",
  stated: "2026-11-21",
  experiment: "walks",
  version: 1,
  seeds: [0, 1],
} as const;
const CLAIM = {
  ...BASE,
  metric: { success: "a", over: "b" },
  comparison: "above",
  margin: 0.1,
  test: "episodes",
  n: 100,
} as const;

/** An evaluation of 50 states with the given number of successes, those with the lowest numbers. */
const evaluation = (successes: number) => {
  const states = Array.from({ length: 50 }, (_, i) => i);
  const bytes = encodeTable({
    task: states.map(() => "reach"),
    index: Int32Array.from(states),
    noise: Int32Array.from(states, () => 0),
    success: Uint8Array.from(states, (i) => Number(i < successes)),
    length: Int32Array.from(states, () => 9),
  });
  return { digest: `sha256:${successes}`, bytes };
};
const measured = (...pairs: readonly (readonly [a: number, b: number])[]): Measured[] =>
  pairs.map(([a, b], seed) => ({ seed, evaluations: { a: evaluation(a), b: evaluation(b) } }));

Deno.test("judge() of a difference: holds, not shown, refuted", () => {
  const found = (...pairs: (readonly [number, number])[]) => judge(defineClaim(CLAIM), measured(...pairs));
  assert.equal(found([45, 10], [40, 15]).verdict, "holds");
  assert.deepEqual(found([45, 10], [40, 15]).seeds, [{ seed: 0, estimate: 0.7 }, { seed: 1, estimate: 0.5 }]);
  const unclear = found([28, 20], [26, 20]);
  assert.equal(unclear.verdict, "fails");
  assert.match(unclear.reason, /^\+14\.0 \[.*\], not shown$/);
  assert.match(found([10, 40], [12, 40]).reason, /, refuted$/);
});

Deno.test("judge() of a rate of one seed uses Wilson's interval, over seeds Student's", () => {
  const one = { ...CLAIM, seeds: [0], metric: { success: "a" }, margin: 0.7, n: 50 };
  const { low, high } = wilson(45, 50);
  const { interval } = judge(defineClaim(one), measured([45, 0]));
  assert.deepEqual([interval!.low, interval!.high], [low, high]);
  assert.equal(judge(defineClaim({ ...one, comparison: "below" }), measured([45, 0])).verdict, "fails");
  assert.equal(judge(defineClaim({ ...one, margin: 0.8 }), measured([45, 0])).verdict, "fails");
  const seeds = judge(defineClaim({ ...CLAIM, test: "seeds" }), measured([45, 10], [40, 15]));
  assert.deepEqual(seeds.interval, student([0.7, 0.5]));
});

Deno.test("judge() within a margin needs the whole interval inside", () => {
  const near = { ...CLAIM, comparison: "within" } as const;
  assert.equal(judge(defineClaim({ ...near, margin: 0.2 }), measured([30, 30], [25, 26])).verdict, "holds");
  assert.equal(judge(defineClaim({ ...near, margin: 0.005 }), measured([30, 30], [25, 26])).verdict, "fails");
});

Deno.test("judge() waits for seeds and episodes", () => {
  const one = judge(defineClaim(CLAIM), measured([45, 10]));
  assert.deepEqual([one.verdict, one.reason], ["not yet measured", "seed 1 not in the store"]);
  const few = judge(defineClaim({ ...CLAIM, n: 101 }), measured([45, 10], [40, 15]));
  assert.deepEqual([few.verdict, few.reason, few.n], [
    "not yet measured",
    "measured on 100 of 101 episodes",
    100,
  ]);
});

Deno.test("judge() of an identity compares digests", () => {
  const alike = defineClaim({ ...BASE, metric: { identical: ["a", "b"] } });
  assert.equal(judge(alike, measured([3, 3], [4, 4])).verdict, "holds");
  const other = judge(alike, measured([3, 3], [4, 5]));
  assert.deepEqual([other.verdict, other.reason], ["fails", "a and b differ with seed 1"]);
});

Deno.test("defineClaim() refuses what cannot be judged", () => {
  const refused = (change: object, message: RegExp) =>
    assert.throws(() => defineClaim({ ...CLAIM, ...change } as never), { name: "RangeError", message });
  refused({ name: "A" }, /^Cannot state claim "A": its name must be lower-case words joined by dashes$/);
  refused(
    { stated: "2026-13-01" },
    /^Cannot state claim "a-over-b" on "2026-13-01": write the day as YYYY-MM-DD$/,
  );
  refused({ seeds: [1, 1] }, /for seeds \[1,1\]: list non-negative integers, each once$/);
  refused({ margin: 2 }, /with a margin of 2: give a rate$/);
  refused({ metric: { success: "a" }, comparison: "within" }, /only a difference can be near zero$/);
  refused({ n: 0 }, /on 0 episodes: give a positive integer$/);
  refused({ seeds: [0], test: "seeds" }, /over one seed: a test over seeds needs two$/);
});
