import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { mul, ones, tensor1d } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import * as flow from "../policies/flow.ts";
import { stream } from "../random.ts";
import {
  assertAllClose,
  assertClose,
  eager,
  normals,
  numbers,
  readFixture,
} from "../tests/fixtures/numerics.ts";
import * as awr from "./awr.ts";
import * as cfgFlow from "./cfg_flow.ts";
import { type Minibatch, updateShapes } from "./weighted_flow.ts";

const fixture = readFixture("cfg_flow");
const weights = eager(fixture["weights"]!);
const b = eager(fixture["batch"]!) as unknown as Minibatch;
const h = cfgFlow.hyperparameters.parse({});
const gradientsOf = (name: string) =>
  Object.fromEntries(
    Object.entries(part(fixture["gradients"]!, name)).map(([key, x]) => [key.slice(name.length + 1), x]),
  );

for (const weight of ["indicator", "advantage"] as const) {
  Deno.test(`the loss with weight "${weight}" and its gradients are the reference's`, () => {
    const { loss, gradients } = valueAndGradients(
      (w) => cfgFlow.loss(w, b, cfgFlow.hyperparameters.parse({ weight })),
      weights,
    );
    assertClose(numbers(loss), fixture["losses"]![weight]!.data, 1e-5, "loss");
    assertAllClose(gradients, gradientsOf(weight), 1e-5);
  });
}

Deno.test("AWR's loss and its gradients are the reference's", () => {
  const { loss, gradients } = valueAndGradients(
    (w) => awr.loss(w, b, awr.hyperparameters.parse({})),
    weights,
  );
  assertClose(numbers(loss), fixture["losses"]!["awr"]!.data, 1e-5, "loss");
  assertAllClose(gradients, gradientsOf("awr"), 1e-5);
});

Deno.test("AWR with 1 / beta = 0 and no padding is plain flow matching", () => {
  const even = { ...b, weight: ones([6, 4]) };
  const { loss } = awr.loss(weights, even, awr.hyperparameters.parse({ inverseTemperature: 0 }));
  assertClose(numbers(loss), numbers(flow.flowLoss(weights, even)), 1e-6, "loss");
});

Deno.test("positiveWeight() is strict at 0, and cuts the advantage at its cap", () => {
  const advantage = tensor1d([-1, 0, 0.25, 7]);
  const of = (settings: Parameters<typeof cfgFlow.positiveWeight>[1]) =>
    numbers(cfgFlow.positiveWeight(advantage, settings));
  assert.deepEqual(of({ weight: "indicator", cap: 5 }), [0, 0, 1, 1]);
  assert.deepEqual(of({ weight: "advantage", cap: 5 }), [0, 0, 0.25, 5]);
});

Deno.test("with positives only, the conditional part at a zero embedding is plain flow matching, and so is the other", () => {
  const { "velocity/condition": condition, ...plain } = weights;
  const zero = { ...plain, "velocity/condition": mul(0, condition!) };
  const positives = { ...b, advantage: ones([6]) as typeof b.advantage, weight: ones([6, 4]) };
  const { metrics } = cfgFlow.loss(zero, positives, h);
  const wanted = numbers(flow.flowLoss(plain, positives));
  assertClose(numbers(metrics.conditional), wanted, 1e-6, "conditional");
  assertClose(numbers(metrics.unconditional), wanted, 1e-6, "unconditional");
});

Deno.test("negatives move the unconditional branch alone", () => {
  const negatives = { ...b, advantage: mul(-1, ones([6])) as typeof b.advantage };
  const { gradients } = valueAndGradients((w) => cfgFlow.loss(w, negatives, h), weights);
  const [any, positive] = [0, 6].map((from) =>
    numbers(gradients["velocity/condition"]!).slice(from, from + 6)
  );
  assert.ok(positive!.every((g) => g === 0) && any!.some((g) => g !== 0));
});

/** Minibatches in which the actions of positives are +1, of negatives -1, whatever is seen. */
function batches(count: number): Tensors {
  const { features, noise } = normals(stream(1, "x"), { features: [count, 32, 3], noise: [count, 32, 4, 2] });
  const actions = ndarray([count, 32, 4, 2]), advantage = ndarray([count, 32]);
  for (let i = 0; i < advantage.data.length; i++) {
    advantage.data[i] = i % 2 ? 0.5 : -0.5;
    actions.data.fill(i % 2 ? 1 : -1, i * 8, (i + 1) * 8);
  }
  const weight = ndarray([count, 32, 4], new Float32Array(count * 128).fill(1));
  const time = ndarray([count, 32], flow.drawTimes(stream(1, "t"), new Float32Array(count * 32)));
  return { features: features!, noise: noise!, actions, advantage, weight, time };
}

Deno.test("update() teaches the conditional branch the positives, the other the mean of all", async () => {
  const settings = cfgFlow.hyperparameters.parse({
    steps: 300,
    batch: 32,
    unconditional: 1,
    model: { learningRate: 1e-2 },
    header: { learningRate: 1e-2 },
  });
  const sizes = { features: 3, horizon: 4, action: 2 };
  const small = flow.hyperparameters.parse({ width: 16 });
  const start = cfgFlow.initialize(flow.acting(flow.initialize(stream(2, "w"), sizes, small)), settings);
  const program = compileUpdate(cfgFlow.update(settings), updateShapes(start, sizes, settings));
  await using learner = await Learner.create(program, start, { threads: 1 });
  const { conditional } = await learner.update(batches(300));
  const mean = (x: Float32Array) => x.reduce((a, b) => a + b, 0) / x.length;
  assert.ok(mean(conditional!.data.subarray(280)) < 0.35 * mean(conditional!.data.subarray(0, 10)));
  assert.ok(learner.state["header/velocity/condition"]!.data.some((x) => Math.abs(x) > 0.05));
});
