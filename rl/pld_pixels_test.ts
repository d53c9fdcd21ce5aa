import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { exp, setBackend, type Tensor } from "@tensorflow/tfjs-core";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { type Shapes, stopGradient } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { drawCrops } from "../nn/augmentation.ts";
import { drawTrunk } from "../nn/resnet.ts";
import { part } from "../nn/weights.ts";
import { stream } from "../random.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import * as calql from "./calql.ts";
import * as pld from "./pld.ts";
import * as pixels from "./pld_pixels.ts";

const fixture = readFixture("pld_pixels");
await setBackend("cpu");
const w = eager(fixture["weights"]!);
const b = eager(fixture["batch"]!) as unknown as pixels.Minibatch & calql.Minibatch & { noise: Tensor };
const setting = (name: string) => fixture["settings"]![name]!.data[0]!;
const result = (name: string) => fixture["results"]![name]!.data;
const v: pixels.Vision = {
  encoder: { encoder: "resnet", embeddings: 2, latent: 3 },
  cameras: { height: 64, width: 32, channels: 6 },
  frames: "features",
  proprioception: 4,
  action: 2,
};
const seen = (weights: Weights) => pixels.view(weights, "critic/encoder", b.frames, b.state, v);
const y = eager({ y: fixture["results"]!["target"]! })["y"]!;

Deno.test("the target sees s′ through the encoder for the actor, and through its own for its value", () => {
  assertClose(numbers(pixels.target(w, b, b.xi, setting("gamma"), v)), result("target"), 1e-5, "y");
});

Deno.test("the critics' loss moves the encoder as in the reference", () => {
  const { loss, gradients } = valueAndGradients(
    (critic) => pld.criticLoss(critic, { state: seen(critic), action: b.action }, y),
    part(w, "critic"),
  );
  assertClose(numbers(loss), result("criticLoss"), 1e-5, "loss");
  assertAllClose(gradients, fixture["criticGradients"]!, 1e-5);
});

Deno.test("Cal-QL's loss moves the encoder as in the reference", () => {
  const h = calql.hyperparameters.parse({ weight: 1.5, temperature: 0.8, samples: 3 });
  const nextState = stopGradient(pixels.view(w, "critic/encoder", b.nextFrames, b.nextState, v));
  const { loss, gradients } = valueAndGradients(
    (critic) => calql.criticLoss(critic, w, { ...b, state: seen(critic), nextState }, y, h),
    part(w, "critic"),
  );
  assertClose(numbers(loss), result("calqlLoss"), 1e-5, "loss");
  assertAllClose(gradients, fixture["calqlGradients"]!, 1e-5);
});

Deno.test("the actor's loss is the reference's, and the encoder is no part of it", () => {
  const samples = { state: stopGradient(seen(w)), base: b.base, noise: b.noise, xi: b.xi };
  const { loss, gradients } = valueAndGradients(
    (actor) => pld.actorLoss({ ...actor }, w, exp(setting("logAlpha")), samples),
    { ...part(w, "actor"), ...part(w, "critic/encoder") },
  );
  assertClose(numbers(loss), result("actorLoss"), 1e-5, "loss");
  assertAllClose(part(gradients, "actor"), fixture["actorGradients"]!, 1e-5);
  for (const gradient of Object.values(part(gradients, "critic"))) {
    assert.ok(numbers(gradient).every((x) => x === 0));
  }
});

const h = pld.hyperparameters.parse({ batch: 3, width: 8, layers: 1 });
const c = calql.hyperparameters.parse({ samples: 2, targetSamples: 2 });
const small = { encoder: { encoder: "small", filters: 3, latent: 5 }, frames: "pictures" } as const;
const resnet = { encoder: { encoder: "resnet", embeddings: 2, latent: 5 } } as const;
const cameras = { height: 24, width: 20, channels: 6 };
const forms: Record<string, pixels.Vision> = {
  "the small encoder": { ...v, ...small, cameras },
  "the trunk's features": { ...v, ...resnet, frames: "features", cameras },
  "pictures through the trunk": { ...v, ...resnet, frames: "pictures", cameras },
};

function drawn(shapes: Shapes, updates: number): Tensors {
  const random = stream(1, "test");
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const array = ndarray([updates, ...shape]);
      if (/crops/i.test(name)) drawCrops(random, array.data);
      else if (name === "xi") array.data.fill(0.5);
      else if (/frames/i.test(name)) array.data.set(array.data.map(() => random.integer(256)));
      else random.fillNormal(array.data);
      return [name, array];
    }),
  );
}

for (const [name, form] of Object.entries(forms)) {
  const trunk = form.encoder.encoder === "resnet" && form.frames === "pictures" ? drawTrunk(stream(5)) : {};
  Deno.test(`updates from ${name} move critics, their encoder and targets, and the actor acts on what they learned`, async () => {
    const state = pixels.initialize(stream(0, "test"), form, h);
    const pretrained = pixels.pretrainShapes(form, h, c), online = pixels.updateShapes(form, h);
    await using first = await Learner.create(
      compileUpdate(pixels.pretrain(h, c, form, trunk), pretrained),
      state,
      { threads: 1 },
    );
    await first.update(drawn(pretrained.batch, 1));
    await using learner = await Learner.create(
      compileUpdate(pixels.update(h, form, trunk), online),
      first.state,
      { threads: 1 },
    );
    const metrics = await learner.update(drawn(online.batch, 1));
    assert.ok(Object.values(metrics).every(({ data }) => data.every(Number.isFinite)));
    const groups = ["actor", "critic", "target"];
    for (const name of groups.flatMap((group) => Object.keys(part(state, group)))) {
      assert.notDeepEqual(learner.state[name]!.data, state[name]!.data, name);
    }
    assert.ok(!Object.keys(learner.state).some((name) => name.includes("trunk")));
    const acting = pixels.acting(learner.state);
    await using session = await Session.create(pixels.actorProgram(2, form, acting, trunk), { threads: 1 });
    const { frames } = drawn(online.batch, 1), extents = online.batch["frames"]!.slice(2);
    const width = extents.reduce((a, b) => a * b);
    const { action } = await session.run({
      ...acting,
      frames: ndarray([2, ...extents], frames!.data.slice(0, 2 * width)),
      state: ndarray([2, 4]),
      base: ndarray([2, 2], Float32Array.of(0.1, -0.2, 0.3, 0.4)),
      noise: ndarray([2, 2]),
      xi: ndarray([2], Float32Array.of(0.5, 0)),
    });
    assert.ok(action!.data.every((x) => Math.abs(x) <= 1));
    // The reach of the second dimension is 0: the base acts there.
    assert.deepEqual([action!.data[1], action!.data[3]], [Math.fround(-0.2), Math.fround(0.4)]);
  });
}
