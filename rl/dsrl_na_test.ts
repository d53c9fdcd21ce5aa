import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { concat, matMul, scalar, tanh } from "@tensorflow/tfjs-core";
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
import * as na from "./dsrl_na.ts";

const fixture = readFixture("dsrl");
const weights = eager(fixture["naWeights"]!);
const { prior, w: _, ...rest } = eager(fixture["batch"]!);
const b = rest as unknown as na.Minibatch;
const kernel = eager(fixture["base"]!)["kernel"]!;
const base: na.Base = (features, w) => tanh(matMul(concat([features, w], 1), kernel));
const result = (name: string) => fixture["results"]![name]!.data;
const settings = { critics: 3, layers: 2, width: 7 };
const h = na.hyperparameters.parse(settings);

Deno.test("target() on executed chunks, with the entropy in the backup, is the public code's", () => {
  assertClose(numbers(na.target(weights, b, base, h)), result("naTarget"), 1e-5, "y");
});

Deno.test("criticLoss(), distillationLoss(), actorLoss() and their gradients are the public code's", () => {
  const y = na.target(weights, b, base, h);
  const drawn = { state: b.state, features: b.features, w: prior! };
  const cases = [
    ["naCritic", "critic", (w) => na.criticLoss(w, b, y, h)],
    ["naDistillation", "noiseCritic", (w) => na.distillationLoss(w, weights, drawn, base, h)],
    ["naActor", "actor", (w) => na.actorLoss(w, weights, b, h)],
  ] as readonly [string, string, Parameters<typeof valueAndGradients>[0]][];
  for (const [name, group, loss] of cases) {
    const { loss: value, gradients } = valueAndGradients(loss, part(weights, group));
    assertClose(numbers(value), result(`${name}Loss`), 1e-5, name);
    assertAllClose(gradients, fixture[`${name}Gradients`]!, 1e-5);
  }
});

Deno.test("temperatureLoss() and its gradient are the public code's", () => {
  const entropy = scalar(result("naEntropy")[0]!);
  const { loss, gradients } = valueAndGradients(
    (w) => ({ loss: na.temperatureLoss(w["temperature/log"]!, entropy, -2) }),
    part(weights, "temperature"),
  );
  assertClose(numbers(loss), result("naTemperatureLoss"), 1e-5, "loss");
  assertAllClose(gradients, fixture["naTemperatureGradients"]!, 1e-5);
});

Deno.test("the target entropy is 0 for w / m", () => {
  assertClose([na.targetEntropy(h, 7)], [7 * Math.log(1.5)], 1e-6, "7 numbers within 1.5");
  assert.equal(na.targetEntropy({ targetEntropy: -3.5, magnitude: 1.5 }, 7), -3.5);
});

Deno.test("a compiled iteration is an eager one: two steps of critic and actor, one of the noise critic", async () => {
  const sizes = { state: 3, noise: 4, features: 5, action: 6 };
  const small = na.hyperparameters.parse({ ...settings, batch: 5 });
  const shapes = na.updateShapes(sizes, small);
  const start = na.initialize(stream(2, "weights"), sizes, small);
  const batches = normals(
    stream(2, "batches"),
    Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [1, ...shape]])),
  );
  // The base's weights are constants of the program, as a policy's are.
  const { constant } = await import("../engine/trace.ts");
  const data = Float32Array.from(fixture["base"]!["kernel"]!.data);
  const baked: na.Base = (features, w) =>
    tanh(matMul(concat([features, w], 1), constant({ shape: [9, 6], data })));
  await using learner = await Learner.create(compileUpdate(na.update(small, baked), shapes), start);
  const traced = await learner.update(batches);
  const one = Object.fromEntries(
    Object.entries(batches).map(([name, { data }]) => [name, { shape: shapes.batch[name]!, data }]),
  );
  const { state, metrics } = na.update(small, base)(eager(start), eager(one));
  for (const [name, value] of Object.entries(metrics)) {
    assertClose(traced[name]!.data, numbers(value), 1e-4, name);
  }
  for (const [name, value] of Object.entries(state)) {
    assertClose(learner.state[name]!.data, numbers(value), name.startsWith("adamw/") ? 2e-3 : 1e-3, name);
  }
  const steps = (group: string) => learner.state[`adamw/${group}/unit/first`]!.data;
  assertClose(steps("critic"), [1 - 0.9 ** 2], 1e-6, "critic");
  assertClose(steps("actor"), [1 - 0.9 ** 2], 1e-6, "actor");
  assertClose(steps("noiseCritic"), [1 - 0.9], 1e-6, "noise critic");
});
