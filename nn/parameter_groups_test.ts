import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { add, pow, type Scalar, sub, sum } from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import * as groups from "./parameter_groups.ts";
import { part } from "./weights.ts";

const fixture = readFixture("parameter_groups");
const setting = (name: string) => fixture["settings"]![name]!.data[0]!;
const single = (name: string): Tensors =>
  Object.fromEntries(
    Object.entries(fixture[name]!).map((
      [key, { shape, data }],
    ) => [key, ndarray(shape, Float32Array.from(data))]),
  );
const h = groups.optimization.parse({
  steps: setting("steps"),
  warmup: setting("warmup"),
  decayTo: setting("decayTo"),
  weightDecay: setting("weightDecay"),
  ema: setting("ema"),
  model: { learningRate: setting("model/rate"), clipNorm: setting("model/clip") },
  header: { weights: ["net/out"], learningRate: setting("header/rate"), clipNorm: setting("header/clip") },
});

Deno.test("update() steps two groups as torch does with two groups, two clip norms and a schedule", () => {
  const target = eager(single("target"));
  const objective = (weights: Weights) => ({
    loss: Object.entries(weights).map(([name, x]) => sum(pow(sub(x, target[name]!), 4)))
      .reduce((a, b) => add(a, b)) as Scalar,
    metrics: {},
  });
  let state = eager(groups.initialize(single("start"), h.header.weights));
  for (let step = 0; step < h.steps; step++) {
    const next = groups.update(objective, h)(state, {});
    const norms = ["model", "header"].map((group) => numbers(next.metrics[`${group}/gradientNorm`]!)[0]!);
    assertClose(
      norms,
      fixture["norms"]!["norms"]!.data.subarray(2 * step, 2 * step + 2),
      1e-5,
      `norms ${step}`,
    );
    state = next.state;
    const wanted = Object.fromEntries(
      Object.entries(part(fixture["states"]!, String(step))).map(([name, x]) => [name.slice(2), x]),
    );
    assertAllClose(groups.joined(state), wanted, 1e-5);
  }
  const averaged = { ...part(state, "ema/model"), ...part(state, "ema/header") };
  const named = Object.fromEntries(
    Object.entries(averaged).map(([name, x]) => [name.replace(/^ema\/(model|header)\//, ""), x]),
  );
  assertAllClose(named, fixture["ema"]!, 1e-5);
});

Deno.test("initialize() starts the average at the weights, and acting() is that average under the weights' names", () => {
  const start = single("start");
  const state = groups.initialize(start, ["net/out"]);
  assert.deepEqual(Object.keys(part(state, "header")), ["header/net/out"]);
  assert.deepEqual(Object.keys(groups.joined(state)).sort(), Object.keys(start).sort());
  assert.deepEqual(groups.acting(state), groups.joined(state));
  state["ema/header/net/out"]!.data[0] = 5;
  assert.equal(groups.acting(state)["net/out"]!.data[0], 5);
});

Deno.test("a header path takes what lies below it, not what merely begins like it", () => {
  const weights = { "a/out/w": ndarray([1]), "a/outer": ndarray([1]), "a/condition": ndarray([1]) };
  const state = groups.initialize(weights, ["a/out", "a/condition"]);
  assert.deepEqual(Object.keys(part(state, "model")), ["model/a/outer"]);
});

for (const [group, header] of [["header", ["net/none"]], ["model", ["net"]]] as const) {
  Deno.test(`an empty group "${group}" is refused in one line`, () => {
    assert.throws(() => groups.initialize(single("start"), header), {
      name: "RangeError",
      message: `Cannot train an empty parameter group "${group}": header is ${header}, the weights are ` +
        "net/0, net/1, net/out",
    });
  });
}
