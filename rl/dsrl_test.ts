import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { exp, scalar, tensor1d, zeros } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
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
import * as dsrl from "./dsrl.ts";
import { act, actorProgram } from "./noise_actor.ts";

const fixture = readFixture("dsrl");
const weights = eager(fixture["weights"]!);
const { noise, ...rest } = eager(fixture["batch"]!);
const b = rest as unknown as dsrl.Minibatch;
const result = (name: string) => fixture["results"]![name]!.data;
const settings = { magnitude: 1.5, critics: 3, layers: 2, width: 7 };
const h = (reduction: "mean" | "min") => dsrl.hyperparameters.parse({ ...settings, reduction });
const alpha = exp(weights["temperature/log"]!);

Deno.test("act() gives the reference's w within its magnitude and the log-density with the magnitude's term", () => {
  const { w, logDensity } = act(weights, b.state, noise!, h("mean"));
  assertClose(numbers(w), result("w"), 1e-5, "w");
  assertClose(numbers(logDensity), result("logDensity"), 1e-5, "log-density");
  assert.ok(numbers(w).every((x) => Math.abs(x) <= 1.5) && numbers(w).some((x) => Math.abs(x) > 1.4));
});

Deno.test("the log-density of w is that of a density: it integrates to 1 over (-m, m)", () => {
  // One number of w: the trapezoid rule over even steps of u, so that the ends of the interval are resolved.
  const one = { layers: 1, width: 2, magnitude: 2.5, activation: "tanh", actorLayerNorm: false } as const;
  const points = 2001;
  const noises = Float32Array.from({ length: points }, (_, i) => -6 + 12 * i / (points - 1));
  const actor = eager({
    "actor/0/kernel": { shape: [1, 2], data: new Float32Array(2) },
    "actor/0/bias": { shape: [2], data: new Float32Array(2) },
    "actor/out/kernel": { shape: [2, 2], data: new Float32Array(4) },
    "actor/out/bias": { shape: [2], data: Float32Array.of(0.3, -0.2) },
  });
  const { w, logDensity } = act(
    actor,
    zeros([points, 1]),
    eager({ n: { shape: [points, 1], data: noises } })["n"]!,
    one,
  );
  const [x, log] = [numbers(w), numbers(logDensity)];
  let area = 0;
  for (let i = 1; i < points; i++) {
    area += (Math.exp(log[i]!) + Math.exp(log[i - 1]!)) / 2 * (x[i]! - x[i - 1]!);
  }
  assertClose([area], [1], 1e-3, "area");
});

for (const reduction of ["mean", "min"] as const) {
  Deno.test(`target(), criticLoss() and actorLoss() with the ${reduction} are the public code's`, () => {
    const y = dsrl.target(weights, b, h(reduction));
    assertClose(numbers(y), result(`${reduction}Target`), 1e-5, "y");
    const critic = valueAndGradients(
      (w) => dsrl.criticLoss(w, b, y, h(reduction)),
      part(weights, "critic"),
    );
    assertClose(numbers(critic.loss), result(`${reduction}CriticLoss`), 1e-5, "critic loss");
    assertAllClose(critic.gradients, fixture[`${reduction}CriticGradients`]!, 1e-5);
    const actor = valueAndGradients(
      (w) => dsrl.actorLoss(w, weights, alpha, { state: b.state, noise: noise! }, h(reduction)),
      part(weights, "actor"),
    );
    assertClose(numbers(actor.loss), result(`${reduction}ActorLoss`), 1e-5, "actor loss");
    assertClose(numbers(actor.metrics["actor/entropy"]), result("entropy"), 1e-5, "entropy");
    assertAllClose(actor.gradients, fixture[`${reduction}ActorGradients`]!, 1e-5);
  });
}

Deno.test("temperatureLoss() and its gradient are the public code's", () => {
  const entropy = scalar(result("entropy")[0]!);
  const { loss, gradients } = valueAndGradients(
    (w) => ({ loss: dsrl.temperatureLoss(w["temperature/log"]!, entropy, -2) }),
    part(weights, "temperature"),
  );
  assertClose(numbers(loss), result("temperatureLoss"), 1e-5, "loss");
  assertAllClose(gradients, fixture["temperatureGradients"]!, 1e-5);
});

Deno.test("target() of a success is its reward; a time-out bootstraps with its own discount", () => {
  const sizes = { state: 3, noise: 4 };
  const state = eager(dsrl.initialize(stream(1, "weights"), sizes, h("min")));
  for (const name of Object.keys(part(state, "target"))) state[name] = zeros(state[name]!.shape);
  state["target/out/bias"] = eager({ x: { shape: [3, 1], data: Float32Array.of(4, 5, 9) } })["x"]!;
  const queries = {
    ...{ reward: tensor1d([0, -1]), terminated: tensor1d([1, 0]), discount: tensor1d([0.5, 0.25]) },
    ...{ nextState: zeros([2, 3]), nextNoise: zeros([2, 4]) },
  };
  assert.deepEqual(numbers(dsrl.target(state, queries, h("min"))), [0, 0]);
  assert.deepEqual(numbers(dsrl.target(state, queries, h("mean"))), [0, 0.5]);
});

Deno.test("the target entropy is minus half the dimension of w, unless it is given", () => {
  assert.equal(dsrl.targetEntropy({ targetEntropy: null }, 32), -16);
  assert.equal(dsrl.targetEntropy({ targetEntropy: 0 }, 32), 0);
});

Deno.test("the defaults are the public LIBERO script's", () => {
  const d = dsrl.hyperparameters.parse({});
  assert.deepEqual(
    [d.batch, d.buffer, d.gamma, d.tau, d.actorLearningRate, d.criticLearningRate],
    [256, 25_000, 0.999, 0.005, 1e-4, 3e-4],
  );
  assert.deepEqual(
    [d.temperatureLearningRate, d.critics, d.reduction, d.layers, d.width],
    [3e-4, 10, "mean", 3, 128],
  );
  assert.deepEqual([d.magnitude, d.targetEntropy, d.rewardScale, d.rewardBias], [1, null, 1, -1]);
  assert.deepEqual([d.activation, d.actorLayerNorm, d.criticLayerNorm, d.clipNorm], [
    "relu",
    false,
    true,
    null,
  ]);
});

Deno.test("a compiled update is an eager one, in the order critic, targets, actor, temperature", async () => {
  const sizes = { state: 3, noise: 4 }, small = dsrl.hyperparameters.parse({ ...settings, batch: 5 });
  const shapes = dsrl.updateShapes(sizes, small);
  const start = dsrl.initialize(stream(2, "weights"), sizes, small);
  const batches = normals(
    stream(2, "batches"),
    Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [1, ...shape]])),
  );
  await using learner = await Learner.create(compileUpdate(dsrl.update(small), shapes), start);
  const traced = await learner.update(batches);
  const one = Object.fromEntries(
    Object.entries(batches).map(([name, { data }]) => [name, { shape: shapes.batch[name]!, data }]),
  );
  const { state, metrics } = dsrl.update(small)(eager(start), eager(one));
  for (const [name, value] of Object.entries(metrics)) {
    assertClose(traced[name]!.data, numbers(value), 1e-4, name);
  }
  for (const [name, value] of Object.entries(state)) {
    assertClose(learner.state[name]!.data, numbers(value), name.startsWith("adamw/") ? 1e-3 : 1e-4, name);
  }
});

Deno.test("update() finds the noise that a one-query task asks for", async () => {
  const sizes = { state: 1, noise: 1 };
  const h = dsrl.hyperparameters.parse({
    ...{ batch: 64, width: 16, layers: 2, critics: 2, magnitude: 1.5, initialTemperature: 0.01 },
    ...{ actorLearningRate: 3e-3, criticLearningRate: 3e-3, targetEntropy: -1 },
  });
  const shapes = dsrl.updateShapes(sizes, h), updates = 600, draws = stream(5, "batches");
  const batches = normals(
    draws,
    Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [updates, ...shape]])),
  );
  draws.fillUniform(batches["state"]!.data, -1, 1);
  draws.fillUniform(batches["w"]!.data, -1.5, 1.5);
  batches["terminated"]!.data.fill(1);
  batches["reward"]!.data.forEach((_, i, all) =>
    all[i] = -10 * (batches["w"]!.data[i]! - batches["state"]!.data[i]!) ** 2
  );
  const start = dsrl.initialize(stream(5, "weights"), sizes, h);
  await using learner = await Learner.create(compileUpdate(dsrl.update(h), shapes), start, { threads: 1 });
  await learner.update(batches);
  await using session = await Session.create(actorProgram(5, sizes, h));
  const { w } = await session.run({
    ...part(learner.state, "actor"),
    state: { shape: [5, 1], data: Float32Array.of(-0.8, -0.4, 0, 0.4, 0.8) },
    noise: { shape: [5, 1], data: new Float32Array(5) },
  });
  assertClose(w!.data, [-0.8, -0.4, 0, 0.4, 0.8], 0.3, "w");
});
