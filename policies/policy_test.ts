import assert from "node:assert/strict";
import type { Normalization } from "../data/normalization.ts";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import { assertClose, normals, readFixture } from "../tests/fixtures/numerics.ts";
import { exportPolicy, FlowPolicy } from "./policy.ts";

const fixture = readFixture("flow");
const weights = Object.fromEntries(
  Object.entries(fixture["weights"]!).map(([name, x]) => [name, ndarray(x.shape, Float32Array.from(x.data))]),
);
const units = (center: number[], scale: number[], clip: number | null = null): Normalization => ({
  kind: "z-score",
  n: 10,
  center,
  scale,
  clip,
});
const normalization = { features: units([1, -2, 0.5], [2, 0.5, 1]), actions: units([0.1, -0.2], [0.05, 2]) };
const features = ndarray([5, 3], Float32Array.from(fixture["batch"]!["features"]!.data));
const noise = ndarray([5, 4, 2], Float32Array.from(fixture["batch"]!["noise"]!.data));
for (let i = 0; i < 15; i++) {
  const { center, scale } = normalization.features;
  features.data[i] = features.data[i]! * scale[i % 3]! + center[i % 3]!;
}

Deno.test("FlowPolicy normalises features, and gives actions in their units, clipped to [-1, 1]", async () => {
  await using policy = await FlowPolicy.open(weights, normalization, { batch: 5, execute: 2 });
  assert.deepEqual([policy.horizon, policy.execute, policy.batch], [4, 2, 5]);
  const { shape, data } = await policy.sample(features, noise);
  assert.deepEqual([...shape], [5, 4, 2]);
  const { center, scale } = normalization.actions;
  const wanted = fixture["results"]!["sample"]!.data.map((x, i) =>
    Math.max(-1, Math.min(1, x * scale[i % 2]! + center[i % 2]!))
  );
  assert.ok(wanted.some((x) => x === 1) && wanted.some((x) => Math.abs(x) < 1), "both cases occur");
  assertClose(data, wanted, 1e-5, "actions");
});

Deno.test("rows of a FlowPolicy do not see each other", async () => {
  await using policy = await FlowPolicy.open(weights, normalization, { batch: 5, execute: 2 });
  const before = await policy.sample(features, noise);
  const others = normals(stream(1, "other"), { features: [5, 3], noise: [5, 4, 2] });
  others["features"]!.data.set(features.data.subarray(0, 3));
  others["noise"]!.data.set(noise.data.subarray(0, 8));
  const after = await policy.sample(others["features"]!, others["noise"]!);
  assert.deepEqual(after.data.subarray(0, 8), before.data.subarray(0, 8));
});

Deno.test("exportPolicy() gives the same bytes again, with two inputs and one output", () => {
  const { inputs, outputs, digest } = exportPolicy(weights, normalization, 2);
  assert.deepEqual(inputs, { features: [2, 3], noise: [2, 4, 2] });
  assert.deepEqual(outputs, { actions: [2, 4, 2] });
  assert.equal(exportPolicy(weights, normalization, 2).digest, digest);
});

Deno.test("FlowPolicy.open() refuses weights of other widths and chunks that are too short", async () => {
  const narrow = { ...normalization, features: units([0], [1]) };
  await assert.rejects(FlowPolicy.open(weights, narrow, { batch: 1, execute: 1 }), {
    name: "RangeError",
    message:
      "Cannot read the sizes of a flow policy with 43 inputs and 8 outputs: for 1 features and actions of 2 " +
      "they must be features + outputs + 32 and a multiple of the action",
  });
  await assert.rejects(FlowPolicy.open(weights, normalization, { batch: 1, execute: 5 }), {
    name: "RangeError",
    message: "Cannot execute 5 actions of a chunk: it must be 1 ... 4",
  });
});
