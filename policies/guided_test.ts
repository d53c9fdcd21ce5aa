import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import type { Tensor } from "@tensorflow/tfjs-core";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import { assertClose, eager, normals, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import * as flow from "./flow.ts";
import { CONDITION, guided, withCondition } from "./guided.ts";
import { FlowPolicy } from "./policy.ts";

const fixture = readFixture("cfg_flow");
const weights = eager(fixture["weights"]!);
const { features, noise } = eager(fixture["batch"]!) as { features: Tensor; noise: Tensor };

for (const s of [0, 1, 1.5, 3]) {
  Deno.test(`guided() with s = ${s} is ten Euler steps of the reference`, () => {
    const chunk = guided(s)(weights, features, noise);
    assertClose(numbers(chunk), fixture["samples"]![`s${s}`]!.data, 1e-5, "chunk");
  });
}

Deno.test("both branches in one batch give what each gives alone", () => {
  for (const [s, near] of [[0, 1e-7], [1, 1 + 1e-7]] as const) {
    const alone = numbers(guided(s)(weights, features, noise));
    assertClose(numbers(guided(near)(weights, features, noise)), alone, 1e-5, `s = ${s}`);
  }
});

const sizes = { features: 20, horizon: 16, action: 7 };
const normalization = {
  features: { kind: "z-score", n: 1, center: Array(20).fill(0.1), scale: Array(20).fill(0.7), clip: null },
  actions: { kind: "z-score", n: 1, center: Array(7).fill(0), scale: Array(7).fill(0.3), clip: null },
} as const;

/** A policy as `flow.initialize` makes it, with a last layer that is not zero. */
function randomPolicy(network: object = {}) {
  const h = flow.hyperparameters.parse(network);
  const made = flow.acting(flow.initialize(stream(3, "weights"), sizes, h));
  stream(3, "last").fillNormal(made["velocity/out/kernel"]!.data);
  return made;
}

Deno.test("a new condition leaves the base as it is, bit for bit, under every guidance and number of lanes", async () => {
  const base = randomPolicy(), conditional = withCondition(base);
  for (const batch of [1, 3, 16]) {
    const { features, noise } = normals(stream(batch, "x"), { features: [batch, 20], noise: [batch, 16, 7] });
    await using plain = await FlowPolicy.open(base, normalization, { batch, threads: 1 });
    const wanted = await plain.sample(features!, noise!);
    for (const s of [0, 1, 1.5, 2, 3]) {
      const options = { batch, threads: 1, sampler: guided(s) };
      await using policy = await FlowPolicy.open(conditional, normalization, options);
      assert.deepEqual(
        (await policy.sample(features!, noise!)).data,
        wanted.data,
        `s = ${s}, ${batch} lanes`,
      );
    }
  }
});

Deno.test("a transformer takes a condition too: new, it changes nothing; moved, the branches differ", async () => {
  const base = randomPolicy({ network: "transformer", width: 16, layers: 2, heads: 2 });
  // Fresh modulations hide the condition: the last one is opened.
  stream(4, "last").fillNormal(base["velocity/last/kernel"]!.data);
  const conditional = withCondition(base);
  const { features, noise } = normals(stream(5, "x"), { features: [2, 20], noise: [2, 16, 7] });
  const sampled = async (weights: typeof base, s?: number) => {
    const options = { batch: 2, threads: 1, ...(s === undefined ? {} : { sampler: guided(s) }) };
    await using policy = await FlowPolicy.open(weights, normalization, options);
    return (await policy.sample(features!, noise!)).data;
  };
  const wanted = await sampled(base);
  assertClose(await sampled(conditional, 1.5), wanted, 1e-6, "new condition");
  stream(6, "condition").fillNormal(conditional[CONDITION]!.data);
  assert.notDeepEqual(await sampled(conditional, 1), await sampled(conditional, 0));
});

Deno.test("withCondition() adds two zero rows once", () => {
  const once = withCondition(randomPolicy());
  assert.deepEqual(once[CONDITION], ndarray([2, 256]));
  assert.equal(withCondition(once), once);
});

for (const s of [-0.5, NaN, Infinity]) {
  Deno.test(`guided() refuses s = ${s}`, () => {
    assert.throws(() => guided(s), {
      name: "RangeError",
      message: `Cannot guide with s = ${s}: it must be a number of at least 0`,
    });
  });
}
