import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { add, mean, mul, square, sub, type Tensor, tensor1d } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { ndarray } from "../ndarray.ts";
import { part, shapesOf } from "../nn/weights.ts";
import { stream } from "../random.ts";
import {
  assertAllClose,
  assertClose,
  eager,
  normals,
  numbers,
  readFixture,
} from "../tests/fixtures/numerics.ts";
import { argmax, scoreProgram, scores } from "./best_of_n.ts";
import * as brief from "./chunk_brief.ts";
import * as chunkQ from "./chunk_q.ts";
import * as iql from "./iql.ts";
import * as sac from "./sac.ts";

const fixture = readFixture("chunk_rl");
const weights = eager(fixture["weights"]!);
const b = eager(fixture["batch"]!) as unknown as chunkQ.Minibatch & Record<string, Tensor>;
const h = iql.hyperparameters.parse({ horizon: 5, gamma: 0.97, activation: "tanh" });
const result = (name: string) => fixture["results"]![name]!.data;
const gradientsOf = (name: string) =>
  Object.fromEntries(
    Object.entries(part(fixture["gradients"]!, name)).map(([key, x]) => [key.slice(name.length + 1), x]),
  );

for (const expectile of [0.5, 0.7, 0.9]) {
  Deno.test(`valueLoss() at expectile ${expectile} and its gradients are those of IQL's public code`, () => {
    const { loss, gradients } = valueAndGradients(
      (w) => iql.valueLoss(w, weights, b, { ...h, expectile }),
      part(weights, "value"),
    );
    assertClose(numbers(loss), result(`value${expectile}`), 1e-5, "loss");
    assertAllClose(gradients, gradientsOf(`value${expectile}`), 1e-5);
  });
}

Deno.test("the critics' loss towards V and its gradients are half those of IQL's public code, which sums two", () => {
  const y = chunkQ.target(b, iql.v(weights, b.nextState, h), h);
  assertClose(numbers(y), result("iqlTarget"), 1e-5, "y");
  const { loss, gradients } = valueAndGradients(
    (w) => {
      const { loss } = chunkQ.criticLoss(w, { state: b.state, chunk: b.chunk }, y, h);
      return { loss: mul(2, loss) };
    },
    part(weights, "critic"),
  );
  assertClose(numbers(loss), result("iqlCritic"), 1e-5, "loss");
  assertAllClose(gradients, gradientsOf("iqlCritic"), 1e-5);
});

Deno.test("target() and criticLoss() with invalid chunks are those of QC's public code", () => {
  const y = chunkQ.target(b, b.nextValue!, h);
  assertClose(numbers(y), result("qcTarget"), 1e-5, "y");
  const { loss, gradients } = valueAndGradients(
    (w) => chunkQ.criticLoss(w, { ...b, valid: b.valid! }, y, h),
    part(weights, "critic"),
  );
  assertClose(numbers(loss), result("qcCritic"), 1e-5, "loss");
  assertAllClose(gradients, gradientsOf("qcCritic"), 1e-5);
});

Deno.test("scores() and argmax() are the reference's, traced and eager; the first of equals wins", async () => {
  for (const [aggregate, name] of [["mean", "scoresMean"], ["min", "scoresMin"]] as const) {
    const how = { critic: "target", aggregate, activation: "tanh" } as const;
    assertClose(numbers(scores(weights, b.state, b.chunks!, how)), result(name), 1e-5, name);
    const host = Object.fromEntries(
      Object.entries({ ...part(fixture["weights"]!, "target"), ...fixture["batch"] }).map(([name, x]) => [
        name,
        ndarray(x.shape, Float32Array.from(x.data)),
      ]),
    );
    const sizes = { batch: 7, candidates: 3, state: 3, chunk: 4 };
    await using session = await Session.create(
      scoreProgram(shapesOf(part(host, "target")), sizes, how),
      { threads: 1 },
    );
    const { scores: traced } = await session.run({
      ...part(host, "target"),
      state: host.state!,
      chunks: host.chunks!,
    });
    assertClose(traced!.data, result(name), 1e-5, `${name}, traced`);
  }
  assert.equal(argmax(Float32Array.of(1, 3, 3, 2)), 1);
  assert.equal(argmax(Float32Array.of(-5)), 0);
});

Deno.test("expectile .5 is half the squared error: its V is the mean", () => {
  const u = tensor1d([-2, -0.5, 0, 1, 4]);
  assert.deepEqual(numbers(iql.expectileLoss(u, 0.5)), numbers(mul(0.5, square(u))));
  const { gradients } = valueAndGradients(
    (w) => ({ loss: mean(iql.expectileLoss(sub(u, w.v!), 0.5)) }),
    { v: tensor1d([0.5]) }, // the mean of u
  );
  assertClose(numbers(add(1, gradients.v!)), [1], 1e-6, "no slope at the mean");
});

Deno.test("at the expectile of a sample the loss has no slope (SciPy's expectile)", () => {
  // scipy.stats.expectile([-2, -0.5, 0, 1, 4], alpha), SciPy 1.17.1
  for (const [alpha, value] of [[0.7, 1.2368421052631577], [0.9, 2.6538461538461537]] as const) {
    const { gradients } = valueAndGradients(
      (w) => ({ loss: mean(iql.expectileLoss(sub(tensor1d([-2, -0.5, 0, 1, 4]), w.v!), alpha)) }),
      { v: tensor1d([value]) },
    );
    assert.ok(Math.abs(numbers(gradients.v!)[0]!) < 1e-6, `${alpha}: slope ${numbers(gradients.v!)}`);
  }
});

Deno.test("at h = 1 the critics' target and loss are those of one-step TD, bit for bit", () => {
  const settings = sac.hyperparameters.parse({ layers: 2, width: 8 });
  const sizes = { state: 3, action: 2 }, count = 256;
  const learner = eager(sac.initialize(stream(5, "weights"), sizes, settings));
  const draws = stream(5, "td");
  const rows = eager(normals(draws, {
    ...{
      state: [count, 3],
      action: [count, 2],
      reward: [count],
      nextState: [count, 3],
      nextNoise: [count, 2],
    },
  }));
  const done = Float32Array.from({ length: count }, () => draws.integer(2));
  const single = { ...rows, terminated: tensor1d(done) } as unknown as Parameters<typeof sac.target>[1];
  const { action } = sac.act(learner, single.nextState, single.nextNoise);
  const form = { activation: "tanh", gamma: 0.99, horizon: 1 } as const;
  const next = chunkQ.aggregate(chunkQ.q(learner, "target", single.nextState, action, form), "min");
  const mask = tensor1d(done.map((d) => 1 - d));
  const y = chunkQ.target({ reward: single.reward, mask }, next, form);
  assert.deepEqual(numbers(y), numbers(sac.target(learner, single, 0.99)));
  const chunk = { state: single.state, chunk: single.action };
  assert.deepEqual(
    numbers(chunkQ.criticLoss(learner, chunk, y, form).loss),
    numbers(sac.criticLoss(learner, single, y).loss),
  );
});

Deno.test("the brief's loss and its gradients are the reference's", () => {
  const start = eager(fixture["brief"]!);
  const settings = brief.hyperparameters.parse({
    ...{ horizon: 5, gamma: 0.97, beta: 1.5, lambdaV: 0.8, lambdaPi: 1.25 },
  });
  const minibatch = {
    features: b.state,
    chunk: b.chunk,
    reward: sub(1, b.mask),
    nextFeatures: b.nextState,
    noise: b.noise!,
  };
  const { loss, gradients } = valueAndGradients((w) => brief.loss(w, minibatch, settings), start);
  assertClose(numbers(loss), result("brief"), 1e-5, "loss");
  assertAllClose(gradients, gradientsOf("brief"), 1e-5);
  const density = brief.logDensity(brief.head(start, b.state), b.chunk);
  assertClose(numbers(density), result("briefDensity"), 1e-5, "log density");
  const { metrics } = brief.policyLoss(start, minibatch, { ...settings, cap: 0.5 });
  const cut = [...result("briefWeight")].map((w) => Math.min(w, 0.5));
  assertClose(
    numbers(metrics["policy/weight"]),
    [cut.reduce((x, y) => x + y) / cut.length],
    1e-5,
    "cut weights",
  );
});

/** Chunk transitions of one step: a chunk is worth its first number, every state the same. */
async function learned(expectile: number): Promise<number> {
  const settings = iql.hyperparameters.parse({
    ...{ horizon: 2, batch: 64, layers: 1, width: 16, tau: 0.05, learningRate: 1e-2, expectile },
  });
  const sizes = { state: 2, chunk: 4 };
  const program = compileUpdate(iql.update(settings), iql.updateShapes(sizes, settings));
  await using learner = await Learner.create(
    program,
    iql.initialize(stream(1, "iql"), sizes, settings),
    { threads: 1 },
  );
  const draws = stream(1, "draws"), calls = 400, count = calls * 64;
  const chunk = ndarray([calls, 64, 4], draws.fillUniform(new Float32Array(count * 4), 0, 1));
  const reward = ndarray([calls, 64], Float32Array.from({ length: count }, (_, i) => chunk.data[4 * i]!));
  const state = ndarray([calls, 64, 2]);
  const metrics = await learner.update({
    state,
    chunk,
    reward,
    mask: ndarray([calls, 64]),
    nextState: state,
  });
  return metrics["value/v"]!.data.subarray(calls - 20).reduce((a, b) => a + b, 0) / 20;
}

Deno.test("update() drives V to the expectile of what chunks are worth: the mean at .5, near the best at .95", async () => {
  // The τ-expectile of U(0, 1): √τ / (√τ + √(1 - τ)).
  for (const tau of [0.5, 0.95]) {
    const wanted = Math.sqrt(tau) / (Math.sqrt(tau) + Math.sqrt(1 - tau));
    const value = await learned(tau);
    assert.ok(Math.abs(value - wanted) < 0.05, `V is ${value} at expectile ${tau}, wanted ${wanted}`);
  }
});
