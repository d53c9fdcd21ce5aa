import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import type { Tensor } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { part } from "../nn/weights.ts";
import { stream } from "../random.ts";
import {
  assertAllClose,
  assertClose,
  eager,
  normals,
  numbers,
  readFixture,
} from "../tests/fixtures/numerics.ts";
import * as groups from "../nn/parameter_groups.ts";
import * as laplace from "./laplace.ts";
import { LaplacePolicy } from "./laplace_policy.ts";

const fixture = readFixture("ript");
const weights = eager(fixture["weights"]!);
const b = eager(fixture["batch"]!) as Record<keyof laplace.Minibatch, Tensor>;

Deno.test("logDensity() is torch's Laplace with the log-scale clipped", () => {
  const distribution = laplace.head(weights, b.features, [6, 4, 2]);
  const density = laplace.logDensity(distribution, b.actions);
  assertClose(numbers(density), fixture["results"]!["density"]!.data, 1e-5, "log-density");
  const scales = numbers(distribution.logScale);
  assert.ok(scales.includes(-2) && scales.includes(0.5), "both bounds are met");
});

Deno.test("cloneLoss() and its gradients are the reference's", () => {
  const { loss, gradients } = valueAndGradients((w) => ({ loss: laplace.cloneLoss(w, b) }), weights);
  assertClose(numbers(loss), fixture["results"]!["nll"]!.data, 1e-5, "loss");
  const wanted = Object.fromEntries(
    Object.entries(part(fixture["gradients"]!, "nll")).map(([name, x]) => [name.slice(4), x]),
  );
  assertAllClose(gradients, wanted, 1e-5);
});

Deno.test("drawNoise() has the quantiles of a standard Laplace", () => {
  const sorted = laplace.drawNoise(stream(1, "noise"), new Float32Array(40_000)).sort();
  for (const p of [0.01, 0.25, 0.5, 0.75, 0.99]) {
    const wanted = -Math.sign(p - 0.5) * Math.log(1 - 2 * Math.abs(p - 0.5));
    assert.ok(Math.abs(sorted[Math.round(p * 40_000)]! - wanted) < 0.15, `quantile ${p}`);
  }
  assert.ok(sorted.every(Number.isFinite));
});

const sizes = { features: 3, horizon: 4, action: 2 };
const normalization = {
  features: { kind: "z-score", n: 1, center: [0, 1, 2], scale: [1, 2, 3], clip: null },
  actions: { kind: "z-score", n: 1, center: [0.5, -0.5], scale: [2, 3], clip: null },
} as const;

function policyWeights() {
  const h = laplace.hyperparameters.parse({ width: 8, scaleWidth: 8, layers: 1 });
  const made = groups.acting(laplace.initialize(stream(2, "weights"), sizes, h));
  stream(2, "last").fillNormal(made["mean/out/kernel"]!.data);
  return made;
}

Deno.test("a policy acts by its mean, or draws around it, unclipped", async () => {
  const made = policyWeights();
  const { features } = normals(stream(2, "x"), { features: [5, 3] });
  const open = (act: "mean" | "sample") =>
    LaplacePolicy.open(made, normalization, { batch: 5, execute: 2, act, threads: 1 });
  await using still = await open("mean");
  await using moving = await open("sample");
  const { noise } = normals(stream(2, "n"), { noise: [5, 4, 2] });
  still.drawNoise(stream(1, "n"), noise!.data);
  assert.ok(noise!.data.every((x) => x === 0));
  const middle = (await still.sample(features!, noise!)).data;
  moving.drawNoise(stream(1, "n"), noise!.data);
  const drawn = (await moving.sample(features!, noise!)).data;
  // Fresh scales are log b = 0: in physical units a draw lies the noise times the units' scale away.
  const wanted = middle.map((x, i) => x + noise!.data[i]! * [2, 3][i % 2]!);
  assertClose(drawn, wanted, 1e-5, "draws");
  assert.ok(drawn.some((x) => Math.abs(x) > 1));
});

Deno.test("a policy says what does not fit", async () => {
  const options = { batch: 1, act: "mean" } as const;
  await assert.rejects(LaplacePolicy.open(policyWeights(), normalization, { ...options, execute: 5 }), {
    message: "Cannot execute 5 actions of a chunk: it must be 1 ... 4",
  });
  await assert.rejects(LaplacePolicy.open({}, normalization, { ...options, execute: 1 }), {
    message: /^Cannot read the sizes of a Laplace policy with 0 inputs and 0 outputs: /,
  });
});
