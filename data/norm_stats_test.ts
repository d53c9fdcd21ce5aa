import assert from "node:assert/strict";
import { ndarray } from "../ndarray.ts";
import golden from "./fixtures/norm_stats.json" with { type: "json" };
import { denormalizedBy, formulas, normalizedBy, readNormStats, unitsOf } from "./norm_stats.ts";
import { decodeNormalizations, denormalize, encodeNormalizations, normalize } from "./normalization.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** Relative to what a float32 of the sources of `value` can tell: LeRobot computes in float32. */
function close(actual: ArrayLike<number>, wanted: readonly number[], tolerance: number) {
  wanted.forEach((value, d) => {
    const apart = Math.abs(actual[d]! - value);
    assert.ok(apart <= tolerance * Math.max(1, Math.abs(value)), `dimension ${d}: ${actual[d]} and ${value}`);
  });
}

for (const formula of formulas) {
  for (const kind of ["z-score", "quantile"] as const) {
    Deno.test(`${kind} by ${formula} is that of its own code, in dimensions that do not move too`, () => {
      const how = { kind, formula }, exact = formula === "openpi" ? 1e-15 : 0;
      golden.x.forEach((x, i) => {
        const wanted = golden[formula][kind].normalized[i]!;
        const got = normalizedBy(golden.stats, how, x);
        if (exact) return close(got, wanted, exact);
        // In float32, x - mean keeps 2^-24 |x|, which is then divided by the scale.
        wanted.forEach((value, d) => {
          const { std, q01, q99 } = golden.stats;
          const scale = kind === "z-score" ? std[d]! + 1e-8 : (q99[d]! - q01[d]!) / 2 || 5e-9;
          const digits = 4 * 2 ** -24 * Math.max(Math.abs(x[d]!), Math.abs(golden.stats.mean[d]!)) / scale;
          assert.ok(
            Math.abs(got[d]! - value) <= digits + 1e-6 * Math.abs(value),
            `${d}: ${got[d]} and ${value}`,
          );
        });
      });
      golden.y.forEach((y, i) => {
        close(denormalizedBy(golden.stats, how, y), golden[formula][kind].denormalized[i]!, exact || 1e-6);
      });
    });
  }
}

Deno.test("the two formulas differ where a dimension hardly moves, and only there", () => {
  const of = (formula: "openpi" | "lerobot") =>
    normalizedBy(golden.stats, { kind: "z-score", formula }, golden.x[1]!);
  const [a, b] = [of("openpi"), of("lerobot")];
  close([a[0]!, a[4]!], [b[0]!, b[4]!], 1e-6);
  assert.ok(Math.abs(a[1]! / b[1]! - 0.75) < 0.01, "std 3e-6 beside 1e-6");
  assert.ok(Math.abs(b[2]! / a[2]! - 100) < 1e-6, "std 0");
});

Deno.test("unitsOf() makes them an input of stages that gives the same numbers", () => {
  for (const formula of formulas) {
    for (const kind of ["z-score", "quantile"] as const) {
      const how = { kind, formula }, units = unitsOf(golden.stats, how);
      const stored = decodeNormalizations(encodeNormalizations({ state: units })).state!;
      assert.deepEqual(stored, units);
      const x = Float32Array.from([0.5, -0.004, 0.7, 1, 99]);
      const moving = (numbers: ArrayLike<number>) => [0, 4].map((d) => numbers[d]!);
      const y = normalize(units, ndarray([1, 5], x));
      close(moving(y.data), moving(normalizedBy(golden.stats, how, x)), 1e-6);
      close([...denormalize(units, y).data], [...x], 1e-5);
    }
  }
});

Deno.test("readNormStats() reads openpi's file and LeRobot's, and leaves out pictures", () => {
  const { mean, std, q01, q99 } = golden.stats;
  const openpi = readNormStats(
    bytes({ norm_stats: { state: golden.stats, actions: { mean, std, q01: null } } }),
    "f",
  );
  assert.deepEqual(openpi, { state: golden.stats, actions: { mean, std } });
  const lerobot = readNormStats(
    bytes({
      "observation.images.top": { mean: [[[0.1]], [[0.2]], [[0.3]]], std: [[[1]], [[1]], [[1]]] },
      action: { min: mean, max: mean, mean, std, q01, q99, count: [17] },
    }),
    "f",
  );
  assert.deepEqual(lerobot, { action: { count: 17, mean, std, q01, q99 } });
});

Deno.test("readNormStats() refuses other files in one line", () => {
  const refused = (value: unknown, message: string) =>
    assert.throws(() => readNormStats(bytes(value), "a/norm_stats.json"), {
      message: `Cannot read statistics from a/norm_stats.json: ${message}`,
    });
  refused([], "it must be a map");
  refused({}, "it names no vector");
  refused({ state: { min: [1] } }, '"state" has no mean and std');
  refused({ state: { mean: [1, 2], std: [1] } }, 'std of "state" must be 2 finite numbers');
  refused({ state: { mean: [1], std: [-1] } }, 'std of "state" must be 1 finite numbers');
  refused({ state: { mean: [], std: [] } }, 'mean of "state" must be some finite numbers');
  assert.throws(() => readNormStats(new Uint8Array([1]), "x"), { message: /x: it is no JSON$/ });
  assert.throws(() => unitsOf({ mean: [0], std: [1] }, { kind: "quantile", formula: "openpi" }), {
    message: "Cannot normalize by quantiles: the statistics have no q01 and q99",
  });
  assert.throws(() => normalizedBy(golden.stats, { kind: "z-score", formula: "openpi" }, [1]), {
    message: "Cannot normalize 1 numbers by statistics of 5: they must be as many",
  });
});
