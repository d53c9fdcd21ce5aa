import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { fill } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
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
import * as calql from "./calql.ts";
import * as pld from "./pld.ts";

const fixture = readFixture("pld");
const weights = eager(fixture["weights"]!);
const b = eager(fixture["batch"]!) as unknown as calql.Minibatch;
const setting = (name: string) => fixture["settings"]![name]!.data[0]!;
const settings = calql.hyperparameters.parse({
  weight: setting("weight"),
  temperature: setting("temperature"),
  samples: 3,
});
const y = pld.target(weights, b, b.xi, setting("gamma"));

function lossOf(returnToGo: calql.Minibatch["returnToGo"], h = settings) {
  return valueAndGradients(
    (w) => calql.criticLoss(w, weights, { ...b, returnToGo }, y, h),
    part(weights, "critic"),
  );
}

Deno.test("criticLoss() of Cal-QL and its gradients are the reference's", () => {
  const { loss, gradients } = lossOf(b.returnToGo);
  assertClose(numbers(loss), fixture["results"]!["calqlLoss"]!.data, 1e-5, "loss");
  assertAllClose(gradients, fixture["calqlGradients"]!, 1e-5);
});

Deno.test("criticLoss() with returns of -Infinity is CQL", () => {
  const { loss, gradients } = lossOf(fill([4], -Infinity));
  assertClose(numbers(loss), fixture["results"]!["cqlLoss"]!.data, 1e-5, "loss");
  assertAllClose(gradients, fixture["cqlGradients"]!, 1e-5);
});

Deno.test("criticLoss() of weight 0 is the loss of PLD's critic", () => {
  const plain = valueAndGradients((w) => pld.criticLoss(w, b, y), part(weights, "critic"));
  const { loss, gradients } = lossOf(b.returnToGo, { ...settings, weight: 0 });
  assertClose(numbers(loss), numbers(plain.loss), 1e-6, "loss");
  for (const [name, gradient] of Object.entries(plain.gradients)) {
    assertClose(numbers(gradients[name]!), numbers(gradient), 1e-5, name);
  }
});

Deno.test("policy samples below the return pass no gradient: they may be any", () => {
  const high = fill([4], 100);
  const { gradients } = lossOf(high);
  const other = { ...b, returnToGo: high, base: fill([4, 2], 0.3) };
  const moved = valueAndGradients(
    (w) => calql.criticLoss(w, weights, other, y, settings),
    part(weights, "critic"),
  );
  // With every policy term at 100 - log π the random ones have no weight either: TD error and -Q(data) remain.
  for (const [name, gradient] of Object.entries(gradients)) {
    assertClose(numbers(moved.gradients[name]!), numbers(gradient), 1e-5, name);
  }
});

Deno.test("a compiled pretraining step runs on PLD's learner state and leaves every number finite", async () => {
  const sizes = { state: 5, action: 7 };
  const learner = pld.hyperparameters.parse({ batch: 6, width: 8 });
  const h = calql.hyperparameters.parse({ samples: 2, targetSamples: 3 });
  const shapes = calql.updateShapes(sizes, learner, h);
  const start = pld.initialize(stream(4, "weights"), sizes, learner);
  const batches = normals(
    stream(4, "batches"),
    Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [3, ...shape]])),
  );
  batches["xi"]!.data.fill(0.5);
  batches["terminated"]!.data.fill(0);
  batches["random"]!.data.forEach((v, i, all) => all[i] = Math.tanh(v));
  await using trained = await Learner.create(compileUpdate(calql.update(learner, h), shapes), start);
  const metrics = await trained.update(batches);
  assert.ok(Object.values({ ...metrics, ...trained.state }).every((x) => x.data.every(Number.isFinite)));

  const only = (index: number) =>
    eager(Object.fromEntries(
      Object.entries(shapes.batch).map(([name, shape]) => {
        const count = batches[name]!.data.length / 3;
        return [name, { shape, data: batches[name]!.data.slice(index * count, (index + 1) * count) }];
      }),
    ));
  const first = calql.update(learner, h)(eager(start), only(0));
  const names = Object.keys(first.metrics) as calql.Metric[];
  assertClose(
    names.map((name) => metrics[name]!.data[0]!),
    names.map((name) => numbers(first.metrics[name])[0]!),
    1e-5,
    String(names),
  );
});
