import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { scalar, setBackend, type Tensor } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { ndarray, size, type Tensors } from "../ndarray.ts";
import { drawCrops, drawJitters } from "../nn/augmentation.ts";
import { drawTrunk } from "../nn/resnet.ts";
import { part } from "../nn/weights.ts";
import { stream } from "../random.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import * as pixels from "./dsrl_pixels.ts";

const fixture = readFixture("dsrl_pixels");
const { batch, weights, results, criticGradients, actorGradients } = fixture;
const h = pixels.hyperparameters.parse({
  magnitude: 1.5,
  critics: 3,
  layers: 2,
  width: 5,
  latent: 3,
  filters: 2,
});
await setBackend("cpu");
const w = eager(weights!);
const b = eager(batch!) as unknown as pixels.Minibatch & { noise: Tensor };
const number = (name: string) => [results![name]!.data[0]!];

Deno.test("the target of pictures is the public code's: actor and target critics look through their own encoders", () => {
  assertClose(numbers(pixels.target(w, b, h)), results!["target"]!.data, 1e-5, "target");
});

Deno.test("the critics' loss moves their encoder, as in the public code", () => {
  const y = eager({ y: results!["target"]! })["y"]!;
  const { loss, gradients } = valueAndGradients(
    (critic) => pixels.criticLoss(critic, b, y, h),
    part(w, "critic"),
  );
  assertClose(numbers(loss), number("critic"), 1e-5, "loss");
  assertAllClose(gradients, criticGradients!, 1e-5);
});

Deno.test("the actor's loss moves its own encoder, as in the public code", () => {
  const alpha = scalar(number("alpha")[0]!);
  const { loss, gradients } = valueAndGradients(
    (actor) => pixels.actorLoss(actor, w, alpha, b, h),
    part(w, "actor"),
  );
  assertClose(numbers(loss), number("actor"), 1e-5, "loss");
  assertAllClose(gradients, actorGradients!, 1e-5);
});

const sizes = { height: 17, width: 18, channels: 3, state: 8, noise: 7 };
const small = pixels.hyperparameters.parse({
  batch: 4,
  critics: 2,
  layers: 1,
  width: 8,
  latent: 6,
  filters: 3,
});

function drawn(updates: number): Tensors {
  const random = stream(1, "test");
  const { batch: shapes } = pixels.updateShapes(sizes, small);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const array = ndarray([updates, ...shape]);
      if (/crops/i.test(name)) drawCrops(random, array.data);
      else if (/jitters/i.test(name)) drawJitters(random, array.data);
      else if (/pixels/i.test(name)) array.data.set(array.data.map(() => random.integer(256)));
      else random.fillNormal(array.data);
      return [name, array];
    }),
  );
}

Deno.test("updates from pictures move every network, and give the same bytes whatever the number a call", async () => {
  const program = compileUpdate(pixels.update(small), pixels.updateShapes(sizes, small));
  const state = pixels.initialize(stream(0, "test"), sizes, small);
  const batches = drawn(2);
  await using together = await Learner.create(program, state, { threads: 1 });
  await together.update(batches);
  await using single = await Learner.create(program, state, { threads: 1 });
  for (let k = 0; k < 2; k++) {
    const rows = (x: Tensors[string]) => {
      const width = size(x.shape.slice(1));
      return ndarray([1, ...x.shape.slice(1)], x.data.slice(k * width, (k + 1) * width));
    };
    await single.update(Object.fromEntries(Object.entries(batches).map(([name, x]) => [name, rows(x)])));
  }
  assert.deepEqual(single.state, together.state);
  for (const group of ["actor/encoder", "critic/encoder", "target/encoder"]) {
    for (const name of Object.keys(part(state, group))) {
      assert.notDeepEqual(together.state[name]!.data, state[name]!.data, name);
    }
  }
});

Deno.test("at first the targets look as the critics, and the deterministic w is nearly 0", async () => {
  const state = pixels.initialize(stream(0, "test"), sizes, small);
  const suffix = (group: string) =>
    Object.entries(part(state, group)).map(([name, x]) => [name.slice(group.length), [...x.data]]);
  assert.deepEqual(Object.fromEntries(suffix("target")), Object.fromEntries(suffix("critic")));
  const program = pixels.actorProgram(4, sizes, pixels.actorFormOf(small));
  await using session = await Session.create(program, { threads: 1 });
  const one = drawn(1);
  const inputs = {
    ...part(state, "actor"),
    pixels: ndarray([4, 17, 18, 3], one["pixels"]!.data),
    state: ndarray([4, 8], one["state"]!.data),
    noise: ndarray([4, 7]),
  };
  const { w } = await session.run(inputs);
  assert.ok(w!.data.every((x) => Math.abs(x) < 0.1));
});

Deno.test("through a ResNet heads learn, and the trunk is no part of the state", async () => {
  const h = { ...small, encoder: "resnet", embeddings: 2, colorJitter: false } as const;
  const trunk = drawTrunk(stream(4)), state = pixels.initialize(stream(0, "test"), sizes, h);
  const shapes = pixels.updateShapes(sizes, h), random = stream(1, "test");
  await using learner = await Learner.create(compileUpdate(pixels.update(h, trunk), shapes), state, {
    threads: 1,
  });
  const batches = Object.fromEntries(
    Object.entries(shapes.batch).map(([name, shape]) => {
      const array = ndarray([1, ...shape]);
      if (/pixels/i.test(name)) array.data.set(array.data.map(() => random.integer(256)));
      else if (!/crops/i.test(name)) random.fillNormal(array.data);
      return [name, array];
    }),
  );
  await learner.update(batches);
  for (const name of ["actor", "critic", "target"].map((group) => `${group}/encoder/0/embedding`)) {
    assert.notDeepEqual(learner.state[name]!.data, state[name]!.data, name);
  }
  const program = pixels.actorProgram(4, sizes, pixels.actorFormOf(h), trunk);
  await using session = await Session.create(program, { threads: 1 });
  const { pixels: seen, state: numbers, noise } = batches;
  const rows = (x: Tensors[string], ...shape: number[]) => ndarray([4, ...shape], x.data);
  const { w } = await session.run({
    ...part(learner.state, "actor"),
    pixels: rows(seen!, 17, 18, 3),
    state: rows(numbers!, 8),
    noise: rows(noise!, 7),
  });
  assert.ok(w!.data.every(Number.isFinite));
});

Deno.test("without color jitter the update asks for no jitters", () => {
  const { batch } = pixels.updateShapes(sizes, { ...small, colorJitter: false });
  assert.ok("crops" in batch && !("jitters" in batch));
});
