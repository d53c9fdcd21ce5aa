import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { mul, type Scalar, setBackend, sum, type Tensor, tensor } from "@tensorflow/tfjs-core";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { compile } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import { type NDArray, ndarray, size, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import { drawTrunk, readTrunk, trunk, trunkShapes } from "./resnet.ts";
import { encodedWidth, encodeFrames, frameShape, initializeEncoder, spatialHead } from "./vision.ts";
import { shapesOf } from "./weights.ts";

const { trunk: seen, gradients, head, headData, headGradients } = readFixture("resnet");

/** The fixture's formula for tensor `index`. */
function formula(index: number, shape: readonly number[], deviation: number, center = 0): NDArray {
  const x = ndarray(shape);
  for (let i = 0; i < x.data.length; i++) {
    const far = 43758.5453 * Math.sin(12.9898 * (i + 1) + 78.233 * index);
    x.data[i] = center + deviation * (2 * (far - Math.floor(far)) - 1);
  }
  return x;
}

const weights: Tensors = Object.fromEntries(
  Object.entries(trunkShapes()).map(([name, shape], i) => [
    name,
    name.endsWith("/scale")
      ? formula(i, shape, 0.3, 1)
      : name.endsWith("/bias")
      ? formula(i, shape, 0.2)
      : formula(i, shape, 2 / Math.sqrt(size(shape.slice(0, 3)))),
  ]),
);

/** What the fixture keeps of a gradient. */
function digest({ data }: NDArray): number[] {
  const sums = data.reduce((total, x, i) => total + x * Math.cos(i), 0);
  return [...data.slice(0, 16), sums, data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)];
}

Deno.test("trunk() and its gradients, of weights and of pictures, as PyTorch's", async () => {
  const pictures = ndarray(seen!["pictures"]!.shape, Float32Array.from(seen!["pictures"]!.data));
  const program = compile((inputs: Weights) => {
    const { gradients, metrics } = valueAndGradients((w) => {
      const features = trunk(w, w["pictures"]!);
      return {
        loss: sum(mul(features, constant(formula(99, features.shape, 1)))) as Scalar,
        metrics: { features },
      };
    }, inputs);
    const named = Object.entries(gradients).map(([name, g]): [string, Tensor] => [`d ${name}`, g]);
    return { features: metrics.features, ...Object.fromEntries(named) };
  }, { ...shapesOf(weights), pictures: pictures.shape });
  await using session = await Session.create(program, { threads: 1 });
  const found = await session.run({ ...weights, pictures });
  const kept = found["features"]!.data.filter((_, i) => i % 16 === 0);
  assertClose(kept, seen!["features"]!.data, 1e-4, "features");
  for (const [name, { data }] of Object.entries(gradients!)) {
    const gradient = digest(found[`d ${name}`]!), largest = data.at(-1)!;
    // Entries on the scale of the gradient's largest; the weighted sum has as many rounding errors as entries.
    gradient.forEach((x, i) => {
      const scale = i === 16 ? largest * Math.sqrt(found[`d ${name}`]!.data.length) : largest;
      assert.ok(Math.abs(x - data[i]!) <= 1e-4 * scale, `${name} ${i}: ${x}, not ${data[i]}`);
    });
  }
});

Deno.test("spatialHead() and its gradients as PyTorch's", async () => {
  await setBackend("cpu");
  const { features, dy } = eager(headData!);
  const found = valueAndGradients((w) => {
    const latent = spatialHead(w, "net", features!);
    return { loss: sum(mul(latent, dy!)) as Scalar, metrics: { latent } };
  }, eager(head!));
  assertClose(numbers(found.metrics.latent), headData!["latent"]!.data, 1e-5, "latent");
  assertAllClose(found.gradients, headGradients!, 1e-5);
});

Deno.test("two cameras look the same as pictures and as features, and nothing is learned through the trunk", async () => {
  const cameras = { height: 32, width: 64, channels: 6 };
  const form = { encoder: "resnet", embeddings: 3, latent: 4 } as const;
  assert.deepEqual(frameShape(cameras, "features"), [2, 1, 2, 512]);
  const own = initializeEncoder(stream(1), "critic/encoder", cameras, form);
  const draw = stream(2), batch = 2, pictures = ndarray([batch, 32, 64, 6]);
  for (let i = 0; i < pictures.data.length; i++) pictures.data[i] = draw.integer(256);
  const given = drawTrunk(stream(3));
  const program = compile((inputs: Weights) => {
    const { pictures, ...w } = inputs;
    const frozen = Object.fromEntries(Object.entries(given).map(([name, x]) => [name, constant(x)]));
    const { loss: _, gradients, metrics } = valueAndGradients((w) => {
      const latent = encodeFrames(w, "critic/encoder", pictures!, form, { ...frozen, ...w });
      return { loss: sum(latent) as Scalar, metrics: { latent } };
    }, w);
    return { latent: metrics.latent, moved: gradients["trunk/conv_init/kernel"]! };
  }, { ...shapesOf(own), pictures: pictures.shape, "trunk/conv_init/kernel": [7, 7, 3, 64] });
  await using session = await Session.create(program, { threads: 1 });
  const kernel = given["trunk/conv_init/kernel"]!;
  const { latent, moved } = await session.run({ ...own, pictures, "trunk/conv_init/kernel": kernel });
  assert.equal(latent!.shape[1], encodedWidth(cameras, form));
  assert.ok(moved!.data.every((x) => x === 0));

  // Each camera's features by themselves, as a replay would hold them.
  await setBackend("cpu");
  const alone = [0, 1].map((camera) => {
    const one = ndarray([batch, 32, 64, 3]);
    for (let i = 0; i < one.data.length; i++) {
      one.data[i] = pictures.data[Math.floor(i / 3) * 6 + 3 * camera + i % 3]!;
    }
    return trunk(eager(given), tensor(one.data, [batch, 32, 64, 3])).dataSync();
  });
  const features = ndarray([batch, 2, 1, 2, 512]), wide = 2 * 512;
  for (let row = 0; row < batch; row++) {
    alone.forEach((x, camera) => {
      features.data.set(x.slice(row * wide, (row + 1) * wide), (2 * row + camera) * wide);
    });
  }
  const from = encodeFrames(eager(own), "critic/encoder", tensor(features.data, [batch, 2, 1, 2, 512]), form);
  assertClose(latent!.data, from.dataSync(), 1e-4, "latent");
});

Deno.test("readTrunk() takes names with and without trunk/, and refuses what is no ResNet-10", () => {
  const drawn = drawTrunk(stream(0, "trunk"));
  const bare = Object.fromEntries(
    Object.entries(drawn).map(([name, x]) => [name.slice("trunk/".length), x]),
  );
  assert.deepEqual(readTrunk(bare, "x"), drawn);
  assert.deepEqual(readTrunk({ ...drawn, more: ndarray([1]) }, "x"), drawn);
  const { "conv_init/kernel": _, ...less } = bare;
  assert.throws(() => readTrunk(less, "resnet10.safetensors"), {
    message: 'Cannot read the ResNet of resnet10.safetensors: "conv_init/kernel" must be [7,7,3,64]; ' +
      "the file has no such tensor",
  });
  assert.throws(() => readTrunk({ ...bare, "norm_init/scale": ndarray([3]) }, "f"), {
    message: 'Cannot read the ResNet of f: "norm_init/scale" must be [64], not [3]',
  });
  const parameters = Object.values(drawn).reduce((n, { data }) => n + data.length, 0);
  assert.equal(parameters, 4_905_792);
});
