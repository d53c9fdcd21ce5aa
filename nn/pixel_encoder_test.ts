import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { mul, type Scalar, sum } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { compile } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import { orthogonal, xavierNormal } from "./initializers.ts";
import { encodePixels, initializePixelEncoder } from "./pixel_encoder.ts";
import { shapesOf } from "./weights.ts";

const { encoder, weights, gradients } = readFixture("pixels");

Deno.test("encodePixels() and its gradients as PyTorch's", () => {
  const { pictures, dy } = eager(encoder!);
  const found = valueAndGradients((w) => {
    const latent = encodePixels(w, "net", pictures!);
    return { loss: sum(mul(latent, dy!)) as Scalar, metrics: { latent } };
  }, eager(weights!));
  assertClose(numbers(found.metrics.latent), encoder!["latent"]!.data, 1e-5, "latent");
  assertAllClose(found.gradients, gradients!, 1e-5);
});

Deno.test("a compiled encoder gives what an eager one does", async () => {
  const float32 = (record: typeof weights): Tensors =>
    Object.fromEntries(
      Object.entries(record!).map((
        [name, { shape, data }],
      ) => [name, ndarray(shape, Float32Array.from(data))]),
    );
  const inputs = { ...float32(weights), pictures: float32(encoder)["pictures"]! };
  const program = compile(
    ({ pictures, ...w }) => ({ latent: encodePixels(w, "net", pictures!) }),
    shapesOf(inputs),
  );
  await using session = await Session.create(program);
  const { latent } = await session.run(inputs);
  assertClose(latent!.data, encoder!["latent"]!.data, 1e-5, "latent");
});

Deno.test("initializePixelEncoder() gives the public agent's network for pictures of 64 x 64", () => {
  const drawn = initializePixelEncoder(stream(0, "encoder"), "actor/encoder", {
    height: 64,
    width: 64,
    channels: 3,
  });
  assert.deepEqual(drawn["actor/encoder/conv/0/kernel"]!.shape, [3, 3, 3, 32]);
  assert.deepEqual(drawn["actor/encoder/conv/3/kernel"]!.shape, [3, 3, 32, 32]);
  assert.deepEqual(drawn["actor/encoder/latent/kernel"]!.shape, [20_000, 50]);
  assert.ok(drawn["actor/encoder/latent/gain"]!.data.every((x) => x === 1));
  const variance = (data: Float32Array) => data.reduce((total, x) => total + x * x, 0) / data.length;
  assertClose([variance(drawn["actor/encoder/latent/kernel"]!.data)], [2 / 20_050], 0.01, "dense kernel");
});

Deno.test("initializePixelEncoder() refuses pictures without a position for the last convolution", () => {
  const draw = (edge: number) =>
    initializePixelEncoder(stream(0), "net", { height: edge, width: 32, channels: 3 });
  assert.throws(() => draw(16), {
    message: "Cannot encode pictures of 32 x 16: each edge must have 17 pixels or more",
  });
  assert.equal(draw(17)["net/latent/kernel"]!.shape[0], 2 * 9 * 32);
});

for (const [name, shape] of Object.entries({ tall: [3, 3, 4, 7], wide: [2, 3, 11] })) {
  Deno.test(`orthogonal() of a ${name} kernel: its ${name === "tall" ? "columns" : "rows"} are orthonormal`, () => {
    const columns = shape.at(-1)!, { data } = orthogonal(stream(3, name), shape, 2);
    const rows = data.length / columns;
    const [count, at] = rows >= columns
      ? [columns, (vector: number, i: number) => data[i * columns + vector]!]
      : [rows, (vector: number, i: number) => data[vector * columns + i]!];
    for (let a = 0; a < count; a++) {
      for (let b = 0; b <= a; b++) {
        let product = 0;
        for (let i = 0; i < Math.max(rows, columns); i++) product += at(a, i) * at(b, i);
        assert.ok(Math.abs(product - (a === b ? 4 : 0)) < 1e-5, `${a}, ${b}: ${product}`);
      }
    }
  });
}

Deno.test("xavierNormal() is cut at two deviations of the normal distribution it is cut from", () => {
  const { data } = xavierNormal(stream(4), [100, 300]);
  const deviation = Math.sqrt(2 / 400);
  const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  assert.ok(largest <= 2 * deviation / 0.8796 && largest > 2 * deviation / 0.8797 * 0.999);
});
