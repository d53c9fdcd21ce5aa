import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { reshape, slice } from "@tensorflow/tfjs-core";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { part, zerosLike } from "../nn/weights.ts";
import { stream } from "../random.ts";
import {
  assertAllClose,
  assertClose,
  eager,
  type Fixture,
  normals,
  numbers,
  readFixture,
} from "../tests/fixtures/numerics.ts";
import * as chunkQ from "./chunk_q.ts";
import * as qc from "./qc.ts";
import * as fql from "./qc_fql.ts";

const fixture = readFixture("qc");
const weights = eager(fixture["weights"]!);
const { start, ...rest } = eager(fixture["batch"]!);
const b = rest as unknown as qc.Minibatch;
const host = (record: Fixture[string]): Tensors =>
  Object.fromEntries(
    Object.entries(record).map((
      [name, { shape, data }],
    ) => [name, ndarray(shape, Float32Array.from(data))]),
  );
const result = (name: string) => fixture["results"]![name]!.data;
const unit = (width: number) => ({
  kind: "z-score" as const,
  n: 1,
  center: Array<number>(width).fill(0),
  scale: Array<number>(width).fill(1),
  clip: null,
});
const units = { features: unit(4), actions: unit(2) };
const sizes = { state: 3, features: 4, action: 2 };
const network = { layers: 2, width: 6, flowSteps: 3, gamma: 0.9, horizon: 3, activation: "tanh" };
const h = qc.hyperparameters.parse(network);
const next = { state: b.nextState, features: b.nextFeatures, noise: b.nextNoise };

for (const reduction of ["mean", "min"] as const) {
  Deno.test(`bestOfN(), target() and criticLoss() with its gradients are the public code's, by ${reduction}`, () => {
    const own = { ...h, reduction };
    const best = qc.bestOfN(weights, next, units, own);
    assertClose(numbers(best), result(`${reduction}Best`), 1e-5, "chunk");
    const y = qc.target(weights, b, best, own);
    assertClose(numbers(y), result(`${reduction}Target`), 1e-5, "y");
    const { loss, gradients } = valueAndGradients(
      (w) => chunkQ.criticLoss(w, b, y, own),
      part(weights, "critic"),
    );
    assertClose(numbers(loss), result(`${reduction}CriticLoss`), 1e-5, "loss");
    assertAllClose(gradients, fixture[`${reduction}CriticGradients`]!, 1e-5);
  });
}

Deno.test("flowLoss() and its gradients are the public code's, with t and v turned round", () => {
  const { loss, gradients } = valueAndGradients(
    (w) => qc.flowLoss(w, b, units),
    part(weights, "velocity"),
  );
  assertClose(numbers(loss), result("flowLoss"), 1e-5, "loss");
  assertAllClose(gradients, fixture["flowGradients"]!, 1e-5);
});

Deno.test("QC-FQL's target, chunk, actorLoss() and its gradients are the public code's", () => {
  const own = fql.hyperparameters.parse({ ...network, alpha: 7 });
  const first = reshape(slice(b.nextNoise, [0, 0, 0, 0], [5, 1, 3, 2]), [5, 3, 2]);
  const chunk = fql.act(weights, b.nextFeatures, first, units);
  assertClose(numbers(chunk), result("act"), 1e-5, "chunk");
  assertClose(numbers(qc.target(weights, b, chunk, own)), result("fqlTarget"), 1e-5, "y");
  const { loss, gradients } = valueAndGradients(
    (w) => fql.actorLoss(w, weights, { ...b, start: start! }, units, own),
    part(weights, "onestep"),
  );
  assertClose(numbers(loss), result("actorLoss"), 1e-5, "loss");
  assertAllClose(gradients, fixture["actorGradients"]!, 1e-5);
});

Deno.test("bestOfN() of one chunk is the flow's own bit for bit; among equals it takes the first", async () => {
  const first = reshape(slice(b.nextNoise, [0, 0, 0, 0], [5, 1, 3, 2]), [5, 3, 2]);
  const drawn = numbers(qc.draw(weights, b.nextFeatures, first, units, h));
  const one = { ...next, noise: reshape(first, [5, 1, 3, 2]) };
  assert.deepEqual(numbers(qc.bestOfN(weights, one, units, h)), drawn);
  const flat = { ...weights, ...eager(zerosLike(host(part(fixture["weights"]!, "critic")))) };
  assertClose(numbers(qc.bestOfN(flat, next, units, h)), drawn, 1e-6, "ties");

  await using session = await Session.create(qc.sampler(5, sizes, units, h), { threads: 1 });
  const { actions } = await session.run({
    ...host(part(fixture["weights"]!, "velocity")),
    features: ndarray([5, 4], Float32Array.from(numbers(b.nextFeatures))),
    noise: ndarray([5, 3, 2], Float32Array.from(numbers(first))),
  });
  assertClose(actions!.data, drawn, 1e-5, "compiled");
});

const cases = {
  QC: {
    h: qc.hyperparameters.parse({ ...network, batch: 4, targetCandidates: 3 }),
    module: qc as unknown as Method,
  },
  "QC-FQL": { h: fql.hyperparameters.parse({ ...network, batch: 4 }), module: fql as unknown as Method },
};
/** What both modules offer, seen without their settings' types. */
interface Method {
  update(h: unknown, units: unknown): (state: Weights, batch: Weights) => {
    state: Weights;
    metrics: Weights;
  };
  updateShapes(sizes: unknown, h: unknown): ReturnType<typeof qc.updateShapes>;
  initialize(draws: unknown, sizes: unknown, h: unknown): Tensors;
}
for (const [name, { h, module }] of Object.entries(cases)) {
  Deno.test(`a compiled update of ${name} is an eager one`, async () => {
    const shapes = module.updateShapes(sizes, h);
    const initial = module.initialize(stream(2, "weights"), sizes, h);
    // Away from the zero last layer, at which the flow's hidden layers have no gradient.
    stream(2, "last").fillNormal(initial["velocity/out/kernel"]!.data);
    const batches = normals(
      stream(2, "batches"),
      Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [1, ...shape]])),
    );
    const update = module.update(h, units);
    await using learner = await Learner.create(compileUpdate(update, shapes), initial);
    const traced = await learner.update(batches);
    const one = Object.fromEntries(
      Object.entries(batches).map(([name, { data }]) => [name, { shape: shapes.batch[name]!, data }]),
    );
    const { state, metrics } = update(eager(initial), eager(one));
    for (const [name, value] of Object.entries(metrics)) {
      assertClose(traced[name]!.data, numbers(value), 1e-4, name);
    }
    for (const [name, value] of Object.entries(state)) {
      assertClose(learner.state[name]!.data, numbers(value), name.startsWith("adamw/") ? 2e-3 : 1e-3, name);
    }
    for (const group of ["critic", "velocity"]) {
      assertClose(learner.state[`adamw/${group}/unit/first`]!.data, [0.1], 1e-6, `${group} steps once`);
    }
  });
}
