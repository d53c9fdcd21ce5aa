import assert from "node:assert/strict";
import { stream } from "../random.ts";
import { aggregate, ImageStatistics, rowStatistics, sampledFrames } from "./lerobot_statistics.ts";
import { BINS, type FeatureStatistics, quantileNames, RunningStatistics } from "./running_statistics.ts";

/** What LeRobot 0.6.1 computes; tests/fixtures/lerobot/interop.py statistics wrote it. */
const theirs = JSON.parse(
  Deno.readTextFileSync(new URL("../tests/fixtures/lerobot/statistics.json", import.meta.url)),
) as {
  batches: number[][][];
  running: Record<string, number[]>;
  single: Record<string, number[]>[];
  aggregated: Record<string, number[]>;
};

/** Equal to rounding: they compute in double precision here, too. */
function assertSame(ours: FeatureStatistics, wanted: Record<string, number[]>) {
  assert.equal(ours.count, wanted.count![0]);
  for (const name of ["min", "max", "mean", "std", ...quantileNames] as const) {
    ours[name].forEach((value, d) => {
      const due = wanted[name]![d]!;
      assert.ok(
        Math.abs(value - due) <= 1e-12 * Math.max(1, Math.abs(due)),
        `${name}[${d}]: ${value}, ${due}`,
      );
    });
  }
}

Deno.test("running statistics are LeRobot's, also where the range grows and histograms are spread anew", () => {
  const running = new RunningStatistics(2);
  for (const batch of theirs.batches) running.update(batch.flat());
  assertSame(running.statistics(), theirs.running);
});

Deno.test("statistics of an episode are LeRobot's; of a single frame every quantile is the frame", () => {
  theirs.batches.forEach((batch, i) =>
    assertSame(rowStatistics(batch.flat(), [2], batch.length), theirs.single[i]!)
  );
});

Deno.test("over episodes: moments of all frames, quantiles by either rule", () => {
  const parts = theirs.batches.map((batch) => ({ x: rowStatistics(batch.flat(), [2], batch.length) }));
  assertSame(aggregate(parts, "mean").x!, theirs.aggregated);
  const { x } = aggregate(parts, "envelope") as { x: FeatureStatistics };
  for (const [name, pick] of [["q01", Math.min], ["q50", Math.min], ["q90", Math.max]] as const) {
    assert.deepEqual(x[name], [0, 1].map((d) => pick(...parts.map((part) => part.x[name][d]!))), name);
  }
  const whole = rowStatistics(theirs.batches.flat().flat(), [2], 254);
  x.std.forEach((value, d) => assert.ok(Math.abs(value - whole.std[d]!) < 1e-9));
});

Deno.test("a quantile is at most a bin's width from the exact one", () => {
  const random = stream(3, "rows"), rows = Float64Array.from({ length: 3000 }, () => random.normal());
  const { q10, min, max } = rowStatistics(rows, [1], 3000);
  const exact = rows.toSorted()[300]!;
  assert.ok(Math.abs(q10[0]! - exact) <= 2 * (max[0]! - min[0]!) / BINS);
});

Deno.test("equal values have themselves as every statistic", () => {
  for (const value of [0, -3, 1e9]) {
    const { min, max, std, q01, q99 } = rowStatistics(Array(10).fill(value), [1], 10);
    assert.deepEqual([min, max], [[value], [value]]);
    for (const [number, due] of [[q01, value], [q99, value], [std, 0]] as const) {
      assert.ok(Math.abs(number[0]! - due) < 1e-9 * Math.max(1, Math.abs(value)), `${number} of ${value}`);
    }
  }
});

Deno.test("statistics of no rows are refused", () => {
  assert.throws(
    () => new RunningStatistics(1).statistics(),
    /^RangeError: Cannot take statistics of no rows/,
  );
  assert.throws(() => aggregate([], "mean"), /^RangeError: Cannot aggregate statistics of no episodes/);
});

Deno.test("pictures: counts of pixel values give what the pixels themselves do", () => {
  const random = stream(4, "pixels"), images = new ImageStatistics(), running = new RunningStatistics(3);
  const pixels: number[] = [];
  for (let i = 0; i < 3; i++) {
    const data = Float64Array.from({ length: 10 * 7 * 3 }, () => Math.floor(random.uniform(20, 200)));
    images.add({ width: 10, height: 7, channels: 3, data });
    pixels.push(...data);
  }
  running.update(pixels);
  const ours = images.statistics(), due = running.statistics();
  assert.equal(ours.count, 3);
  for (const name of ["min", "max", "mean", "std", ...quantileNames] as const) {
    ours[name].forEach((value, d) =>
      assert.ok(
        Math.abs(value * 255 - due[name][d]!) <= 180 / BINS,
        `${name}[${d}]: ${value * 255}, ${due[name][d]}`,
      )
    );
  }
});

// numpy.round(numpy.linspace(0, n - 1, estimate_num_samples(n))) of LeRobot 0.6.1.
Deno.test("pictures are taken from the frames LeRobot takes", () => {
  assert.deepEqual(sampledFrames(1), [0]);
  assert.deepEqual(sampledFrames(7), [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(sampledFrames(500).length, 105);
  const some = sampledFrames(2000);
  assert.equal(some.length, 299);
  assert.deepEqual([some[0], some[1], some[2], some[149], some.at(-1)], [0, 7, 13, 999, 1999]);
});
