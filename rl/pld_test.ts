import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { exp, mean, scalar, tensor1d, tensor2d, zeros } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import type { NDArray, Tensors } from "../ndarray.ts";
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
import * as pld from "./pld.ts";
import { act, actorProgram, residualScale } from "./residual.ts";

const fixture = readFixture("pld");
const weights = eager(fixture["weights"]!);
const { xi, noise, ...minibatch } = eager(fixture["batch"]!);
const b = minibatch as unknown as pld.Minibatch;
const setting = (name: string) => fixture["settings"]![name]!.data[0]!;
const result = (name: string) => fixture["results"]![name]!.data;
const alpha = exp(setting("logAlpha"));

const sizes = { state: 5, action: 7 };
const small = pld.hyperparameters.parse({ batch: 6, width: 8, nextActions: 2, xiGripper: 1.2 });

Deno.test("target(), with the max over two next actions, is the reference's", () => {
  assertClose(numbers(pld.target(weights, b, xi!, setting("gamma"))), result("target"), 1e-5, "y");
});

Deno.test("criticLoss() and its gradients are the reference's", () => {
  const y = pld.target(weights, b, xi!, setting("gamma"));
  const { loss, gradients } = valueAndGradients((w) => pld.criticLoss(w, b, y), part(weights, "critic"));
  assertClose(numbers(loss), result("criticLoss"), 1e-5, "loss");
  assertAllClose(gradients, fixture["criticGradients"]!, 1e-5);
});

Deno.test("actorLoss(), its entropy and its gradients are the reference's", () => {
  const samples = { state: b.state, base: b.base, noise: noise!, xi: xi! };
  const { loss, gradients, metrics } = valueAndGradients(
    (w) => pld.actorLoss(w, weights, alpha, samples),
    part(weights, "actor"),
  );
  assertClose(numbers(loss), result("actorLoss"), 1e-5, "loss");
  assertClose(numbers(metrics["actor/entropy"]), result("entropy"), 1e-5, "entropy");
  assertAllClose(gradients, fixture["actorGradients"]!, 1e-5);
});

Deno.test("temperatureLoss() and its gradient are the reference's", () => {
  const entropy = scalar(result("entropy")[0]!);
  const { loss, gradients } = valueAndGradients(
    (w) => ({ loss: pld.temperatureLoss(w["logAlpha"]!, entropy, setting("targetEntropy")) }),
    { logAlpha: scalar(setting("logAlpha")) },
  );
  assertClose(numbers(loss), result("temperatureLoss"), 1e-5, "loss");
  assertClose(numbers(gradients["logAlpha"]!), result("temperatureGradient"), 1e-5, "gradient");
});

Deno.test("act() returns the base action bit for bit when xi is 0, eagerly and compiled", async () => {
  const state = pld.initialize(stream(1, "weights"), sizes, small);
  const inputs = normals(stream(1, "inputs"), { state: [6, 5], base: [6, 7], noise: [6, 7] });
  for (let i = 0; i < 42; i++) inputs["base"]!.data[i] = Math.max(-1, Math.min(1, inputs["base"]!.data[i]!));
  const host = { ...inputs, xi: { shape: [7], data: new Float32Array(7) } };
  const t = eager(host);
  const { action } = act(eager(state), t["state"]!, t["base"]!, t["noise"]!, t["xi"]!);
  assert.deepEqual(numbers(action), [...inputs["base"]!.data]);

  await using session = await Session.create(actorProgram(6, sizes, small));
  const run = async (xi: number) =>
    (await session.run({
      ...part(state, "actor"),
      ...inputs,
      xi: { shape: [7], data: new Float32Array(7).fill(xi) },
    }))["action"]!.data;
  assert.deepEqual(await run(0), inputs["base"]!.data);
  assert.notDeepEqual(await run(0.1), inputs["base"]!.data);
});

Deno.test("a new actor without noise keeps within 0.05 of the base at xi 0.5", () => {
  const state = eager(pld.initialize(stream(1, "weights"), sizes, small));
  const { s, base } = eager(normals(stream(1, "rows"), { s: [3, 5], base: [3, 7] }));
  const { z } = act(state, s!, base!, zeros([3, 7]), tensor1d(new Float32Array(7).fill(0.5)));
  assert.ok(numbers(z).every((v) => Math.abs(v) < 0.1 && v !== 0));
});

Deno.test("target() of a terminated step is its reward, of a truncated one it is not", () => {
  const state = eager(pld.initialize(stream(1, "weights"), sizes, small));
  for (const name of Object.keys(part(state, "target"))) state[name] = zeros(state[name]!.shape);
  state["target/out/bias"] = tensor2d([[4], [5]]); // Q is 4 and 5 everywhere; the minimum counts
  const transition = {
    ...{ state: zeros([2, 5]), base: zeros([2, 7]), action: zeros([2, 7]), reward: tensor1d([1, 0]) },
    ...{ terminated: tensor1d([1, 0]), nextState: zeros([2, 5]), nextBase: zeros([2, 7]) },
    nextNoise: zeros([1, 2, 7]),
  } as pld.Minibatch;
  const y = pld.target(state, transition, tensor1d(new Float32Array(7)), 0.5);
  assert.deepEqual(numbers(y), [1, 2]);
});

Deno.test("the critic takes no gradient through its target", () => {
  const { gradients } = valueAndGradients((w) => ({ loss: mean(pld.target(w, b, xi!, 0.9)) }), weights);
  assert.ok(Object.values(gradients).every((g) => numbers(g).every((v) => v === 0)));
});

Deno.test("a compiled update of two iterations is two eager updates", async () => {
  const shapes = pld.updateShapes(sizes, small);
  const start = pld.initialize(stream(2, "weights"), sizes, small);
  const batches = normals(
    stream(2, "batches"),
    Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [2, ...shape]])),
  );
  batches["xi"]!.data.fill(0.5);
  batches["terminated"]!.data.forEach((v, i, all) => all[i] = v > 1 ? 1 : 0);
  await using learner = await Learner.create(compileUpdate(pld.update(small), shapes), start);
  const traced = await learner.update(batches);

  let state = eager(start);
  const update = pld.update(small);
  for (let k = 0; k < 2; k++) {
    const row = Object.entries(shapes.batch).map(([name, shape]): [string, NDArray] => {
      const count = batches[name]!.data.length / 2;
      return [name, { shape, data: batches[name]!.data.slice(k * count, (k + 1) * count) }];
    });
    const step = update(state, eager(Object.fromEntries(row)));
    state = step.state;
    for (const [name, value] of Object.entries(step.metrics)) {
      assertClose([traced[name]!.data[k]!], numbers(value), 1e-4, `${name} ${k}`);
    }
  }
  for (const [name, value] of Object.entries(state)) {
    // Moments start at 0: where a gradient is a difference of large terms, the last bits differ more.
    const tolerance = name.startsWith("adamw/") ? 1e-3 : 1e-4;
    assertClose(learner.state[name]!.data, numbers(value), tolerance, name);
  }
  assertClose(learner.state["adamw/critic/unit/first"]!.data, [1 - 0.9 ** 4], 1e-6, "four critic steps");
  assertClose(learner.state["adamw/actor/unit/first"]!.data, [1 - 0.9 ** 2], 1e-6, "two actor steps");
});

Deno.test("the hyperparameters of Table 5 are the defaults", () => {
  const h = pld.hyperparameters.parse({});
  const { batch, buffer, gamma, clipNorm, learningRate, rewardBias, warmupEpisodes, criticUpdates } = h;
  assert.deepEqual([batch, buffer, gamma, clipNorm, learningRate], [256, 250_000, 0.99, 1, 3e-4]);
  assert.deepEqual([rewardBias, warmupEpisodes, criticUpdates, h.nextActions], [0, 100, 2, 1]);
  assert.deepEqual([h.xi, h.initialTemperature, h.targetEntropy, h.critics, h.tau], [0.5, 1, -7, 2, 0.005]);
  assert.deepEqual([h.layers, h.width, h.dropout], [3, 256, 0]);
  assert.throws(() => pld.hyperparameters.parse({ gama: 0.9 }), /gama/);
});

Deno.test("residualScale() grows from 0.1 to 0.5 in 25,000 steps; the gripper keeps its proportion", () => {
  const h = pld.hyperparameters.parse({ xiGripper: 2 });
  const at = (step: number) => residualScale(h, step);
  assertClose([at(0)[0]!, at(12_500)[0]!, at(25_000)[0]!, at(1e6)[0]!], [0.1, 0.3, 0.5, 0.5], 1e-6, "xi");
  assertClose([at(0)[6]!, at(12_500)[6]!, at(25_000)[6]!], [0.4, 1.2, 2], 1e-6, "gripper");
  assert.deepEqual(
    residualScale(pld.hyperparameters.parse({ xi: 0 }), 100),
    new Float32Array(7),
  );
  const constant = pld.hyperparameters.parse({ xiSchedule: { steps: 0 } });
  assertClose(residualScale(constant, 0), new Float32Array(7).fill(0.5), 1e-6, "no schedule");
});

Deno.test("resetActor() replaces the actor, its moments and the temperature, and nothing else", () => {
  const before = pld.initialize(stream(3, "weights"), sizes, small);
  const after: Tensors = pld.resetActor(stream(3, "actor"), before, sizes, small);
  assert.deepEqual(Object.keys(after).sort(), Object.keys(before).sort());
  for (const name of Object.keys(before)) {
    const own = name.startsWith("actor/") || name.startsWith("adamw/actor/") || name === "log_alpha";
    assert.equal(after[name] === before[name], !own, name);
  }
});

Deno.test("update() finds the residual that a one-step task asks for", async () => {
  // The base does nothing; the best executed action is half the first state number, in the first dimension.
  const sizes = { state: 2, action: 1 };
  const h = pld.hyperparameters.parse({
    ...{ batch: 64, width: 16, layers: 2, learningRate: 3e-3, initialTemperature: 0.01, targetEntropy: -1 },
    rewardScale: 10,
  });
  const shapes = pld.updateShapes(sizes, h);
  const updates = 300;
  const draws = stream(5, "batches");
  const batches = normals(
    draws,
    Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [updates, ...shape]])),
  );
  for (const name of ["base", "nextBase"]) batches[name]!.data.fill(0);
  draws.fillUniform(batches["state"]!.data, -1, 1);
  draws.fillUniform(batches["action"]!.data, -0.5, 0.5);
  batches["terminated"]!.data.fill(1);
  batches["xi"]!.data.fill(0.5);
  const wanted = (i: number) => batches["state"]!.data[2 * i]! / 2;
  batches["reward"]!.data.forEach((_, i, all) =>
    all[i] = -10 * (batches["action"]!.data[i]! - wanted(i)) ** 2
  );
  await using learner = await Learner.create(
    compileUpdate(pld.update(h), shapes),
    pld.initialize(stream(5, "weights"), sizes, h),
    { threads: 1 },
  );
  await learner.update(batches);

  const points = Float32Array.of(-0.8, 0, -0.4, 0, 0, 0, 0.4, 0, 0.8, 0);
  await using session = await Session.create(actorProgram(5, sizes, h));
  const { action } = await session.run({
    ...part(learner.state, "actor"),
    state: { shape: [5, 2], data: points },
    base: { shape: [5, 1], data: new Float32Array(5) },
    noise: { shape: [5, 1], data: new Float32Array(5) },
    xi: { shape: [1], data: Float32Array.of(0.5) },
  });
  assertClose(action!.data, [-0.4, -0.2, 0, 0.2, 0.4], 0.3, "actions");
});
