import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { ones, scalar } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { type Stream, stream } from "../random.ts";
import {
  assertAllClose,
  assertClose,
  eager,
  normals,
  numbers,
  readFixture,
} from "../tests/fixtures/numerics.ts";
import * as flow from "./flow.ts";

const fixture = readFixture("flow");
const weights = eager(fixture["weights"]!);
const b = eager(fixture["batch"]!) as unknown as flow.Minibatch;
const sizes = { features: 3, horizon: 4, action: 2 };
const h = flow.hyperparameters.parse({
  steps: 200,
  batch: 32,
  width: 16,
  warmup: 10,
  ema: 0.9,
  learningRate: 1e-2,
});

Deno.test("flowLoss() with weighted steps and its gradients are the reference's", () => {
  const { loss, gradients } = valueAndGradients((w) => ({ loss: flow.flowLoss(w, b) }), weights);
  assertClose(numbers(loss), fixture["results"]!["loss"]!.data, 1e-5, "loss");
  assertAllClose(gradients, fixture["gradients"]!, 1e-5);
});

Deno.test("flowLoss() ignores what stands in steps of weight 0", () => {
  const [row, step] = [2, 1];
  const weight = numbers(ones([5, 4]));
  weight[row * 4 + step] = 0;
  const loss = (target: number) => {
    // The network sees x_t, so the change is made where t = 1: there x_t is the noise alone.
    const actions = numbers(b.actions);
    actions[(row * 4 + step) * 2] = target;
    const host = {
      actions: { shape: [5, 4, 2], data: Float32Array.from(actions) },
      weight: { shape: [5, 4], data: Float32Array.from(weight) },
      time: { shape: [5], data: new Float32Array(5).fill(1) },
    };
    return numbers(flow.flowLoss(weights, { ...b, ...eager(host) } as flow.Minibatch))[0]!;
  };
  assert.equal(loss(0), loss(50));
});

Deno.test("sample() is ten Euler steps of the reference", () => {
  assertClose(
    numbers(flow.sample(weights, b.features, b.noise)),
    fixture["results"]!["sample"]!.data,
    1e-5,
    "chunk",
  );
});

const transformer = { ...h, network: "transformer", heads: 2, layers: 2 } as const;
const networks = { "": h, " of a transformer": transformer };

for (const [of, h] of Object.entries(networks)) {
  Deno.test(`a new policy${of} has velocity 0: it returns its noise`, () => {
    const fresh = eager(flow.initialize(stream(1, "weights"), sizes, h));
    assert.deepEqual(numbers(flow.sample(fresh, b.features, b.noise)), numbers(b.noise));
  });
}

Deno.test("learningRate() warms up, then falls along a cosine to 0", () => {
  const settings = flow.hyperparameters.parse({ steps: 1100, warmup: 100, learningRate: 1 });
  const at = [0, 50, 100, 600, 1100, 2000].map((step) =>
    numbers(flow.learningRate(scalar(step), settings))[0]!
  );
  assertClose(at, [0, 0.5, 1, 0.5, 0, 0], 1e-6, "rates");
});

Deno.test("drawTimes() follows 0.999 Beta(1.5, 1) + 0.001", () => {
  const times = flow.drawTimes(stream(1, "times"), new Float32Array(20_000));
  const mean = times.reduce((total, t) => total + t, 0) / times.length;
  const below = times.filter((t) => t < 0.4).length / times.length;
  assertClose([mean, below], [0.999 * 0.6 + 0.001, (0.399 / 0.999) ** 1.5], 0.02, "mean and share below 0.4");
  assert.ok(times.every((t) => t >= Math.fround(0.001) && t <= 1));
});

/** K minibatches of one task: both numbers of action h are sin(features[0] + h). */
function batches(draws: Stream, count: number): Tensors {
  const { features, noise } = normals(draws, { features: [count, 32, 3], noise: [count, 32, 4, 2] });
  const actions = ndarray([count, 32, 4, 2]);
  for (let i = 0; i < actions.data.length; i++) {
    const row = Math.floor(i / 8), step = Math.floor((i % 8) / 2);
    actions.data[i] = Math.sin(features!.data[3 * row]! + step);
  }
  const time = ndarray([count, 32], flow.drawTimes(draws, new Float32Array(count * 32)));
  const weight = ndarray([count, 32, 4], new Float32Array(count * 128).fill(1));
  return { features: features!, noise: noise!, actions, time, weight };
}

for (const [of, h] of Object.entries(networks)) {
  Deno.test(`update()${of} learns; its average follows; fine-tuning starts from the acting weights`, async () => {
    const program = compileUpdate(flow.update(h), flow.updateShapes(sizes, h));
    const start = flow.initialize(stream(2, "weights"), sizes, h);
    await using learner = await Learner.create(program, start);
    const { loss } = await learner.update(batches(stream(2, "batches"), 200));
    const mean = (part: Float32Array) => part.reduce((total, v) => total + v, 0) / part.length;
    assert.ok(mean(loss!.data.subarray(180)) < 0.6 * mean(loss!.data.subarray(0, 20)), String(loss!.data));
    assert.deepEqual([...learner.state["step"]!.data], [200]);

    const acting = flow.acting(learner.state);
    assert.deepEqual(Object.keys(acting).sort(), Object.keys(part(start, "velocity")).sort());
    const again = flow.fineTune(acting);
    assert.deepEqual(Object.keys(again).sort(), Object.keys(start).sort());
    for (const [name, x] of Object.entries(again)) {
      if (name.startsWith("velocity/")) assert.deepEqual(x, acting[name]);
      else if (name.startsWith("ema/")) assert.deepEqual(x, learner.state[name]);
      else assert.ok(x.data.every((v) => v === 0), name);
    }
  });

  Deno.test(`a compiled update${of} is the eager one`, async () => {
    const shapes = flow.updateShapes(sizes, h);
    const start = flow.initialize(stream(3, "weights"), sizes, h);
    start["step"]!.data[0] = 5;
    const batch = batches(stream(3, "batches"), 1);
    await using learner = await Learner.create(compileUpdate(flow.update(h), shapes), start);
    const traced = await learner.update(batch);
    const rows = Object.entries(shapes.batch).map(([name, shape]) =>
      [name, { ...batch[name]!, shape }] as const
    );
    const { state, metrics } = flow.update(h)(eager(start), eager(Object.fromEntries(rows)));
    assertClose(traced["loss"]!.data, numbers(metrics.loss), 1e-5, "loss");
    for (const [name, value] of Object.entries(state)) {
      assertClose(learner.state[name]!.data, numbers(value), 1e-4, name);
    }
  });
}
