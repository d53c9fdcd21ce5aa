import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { ones, tensor1d, tensor2d, zeros } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { Tensors } from "../ndarray.ts";
import { initialize } from "../nn/parameter_groups.ts";
import { part } from "../nn/weights.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import * as ppo from "./ppo.ts";

const fixture = readFixture("ript");
const weights = eager(fixture["weights"]!);
const b = eager(fixture["batch"]!) as unknown as ppo.Minibatch;

Deno.test("the clipped loss, its gradients and its metrics are the reference's", () => {
  const { loss, gradients, metrics } = valueAndGradients(
    (w) => ppo.ppoLoss(ppo.stepDensity(w, b, { fixScale: false }), b, 0.1),
    weights,
  );
  const wanted = fixture["results"]!;
  assertClose(numbers(loss), wanted["ppo"]!.data, 1e-5, "loss");
  assertClose(numbers(metrics.ratio!), wanted["ratio"]!.data, 1e-5, "ratio");
  assertClose(numbers(metrics.cut!), wanted["cut"]!.data, 1e-5, "share of clipped steps");
  assert.ok(wanted["cut"]!.data[0]! > 0.1, "the reference has clipped steps");
  const found = Object.fromEntries(
    Object.entries(part(fixture["gradients"]!, "ppo")).map(([name, x]) => [name.slice(4), x]),
  );
  assertAllClose(gradients, found, 2e-5);
});

Deno.test("a fixed scale gets no gradient", () => {
  const { gradients } = valueAndGradients(
    (w) => ppo.ppoLoss(ppo.stepDensity(w, b, { fixScale: true }), b, 0.1),
    weights,
  );
  for (const [name, gradient] of Object.entries(gradients)) {
    assert.equal(numbers(gradient).some((g) => g !== 0), name.startsWith("mean/"), name);
  }
});

Deno.test("ppoLoss() cuts gains beyond 1 + epsilon and losses below 1 - epsilon, and nothing else", () => {
  const logs = [1.5, 1.5, 0.5, 0.5].map(Math.log);
  const terms = [1, -1, 1, -1].map((a, i) => {
    const one = { behaviour: zeros([1, 1]), weight: ones([1, 1]), advantage: tensor1d([a]) };
    return numbers(ppo.ppoLoss(tensor2d([[logs[i]!]]), one as ppo.Minibatch, 0.2).loss)[0]!;
  });
  assertClose(terms, [-1.2, 1.5, -0.5, 0.8], 1e-6, "terms");
});

Deno.test("at the behaviour's own weights the ratio is 1, and the gradient that of the score times the advantage", () => {
  const density = ppo.stepDensity(weights, b, { fixScale: true });
  const own = { ...b, behaviour: density };
  const { loss, metrics } = ppo.ppoLoss(density, own, 0.1);
  const [weight, advantage] = [numbers(b.weight), numbers(b.advantage)];
  const total = weight.reduce((a, x) => a + x, 0);
  const wanted = -weight.reduce((sum, x, i) => sum + x * advantage[Math.floor(i / 4)]!, 0) / total;
  assertClose(numbers(loss), [wanted], 1e-5, "loss");
  assert.deepEqual([numbers(metrics.ratio!), numbers(metrics.cut!)], [[1], [0]]);
});

Deno.test("update() raises the density of what was worth it", async () => {
  const host = Object.fromEntries(
    Object.entries(fixture["weights"]!).map((
      [name, { shape, data }],
    ) => [name, { shape, data: Float32Array.from(data) }]),
  ) as Tensors;
  const h = ppo.hyperparameters.parse({ model: { learningRate: 1e-3 }, header: { learningRate: 1e-3 } });
  const start = initialize(host, h.header.weights);
  const shapes = ppo.updateShapes(start, { features: 3, horizon: 4, action: 2 }, 6);
  await using learner = await Learner.create(compileUpdate(ppo.update(h, 30), shapes), start, { threads: 1 });
  const batch = Object.fromEntries(
    Object.entries(fixture["batch"]!).map(([name, { shape, data }]) => {
      const repeated = new Float32Array(30 * data.length);
      for (let i = 0; i < 30; i++) repeated.set(data, i * data.length);
      return [name, { shape: [30, ...shape], data: repeated }];
    }),
  );
  const { loss } = await learner.update(batch);
  assert.ok(loss!.data[29]! < loss!.data[0]! - 0.01, String(loss!.data));
  assert.deepEqual(learner.state["header/scale/out/bias"]!.data, host["scale/out/bias"]!.data);
});
