import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { mul, type Scalar, setBackend, sum, type Tensor, tensor } from "@tensorflow/tfjs-core";
import { valueAndGradients, type Weights } from "../engine/differentiate.ts";
import { compile } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";
import { assertAllClose, assertClose, eager, readFixture } from "../tests/fixtures/numerics.ts";
import { initializeBlocks, transformer } from "./transformer.ts";
import { shapesOf } from "./weights.ts";

const { weights, data, gradients } = readFixture("transformer");

Deno.test("transformer() and its gradients, of weights, tokens and condition, as PyTorch's", async () => {
  const float32 = (record: typeof weights): Tensors =>
    Object.fromEntries(
      Object.entries(record!).map(([name, x]) => [name, ndarray(x.shape, Float32Array.from(x.data))]),
    );
  const { dy, y, ...given } = float32(data);
  const inputs: Tensors = { ...float32(weights), ...given };
  const program = compile((w: Weights) => {
    const { gradients, metrics } = valueAndGradients((w) => {
      const y = transformer(w, "net", w["tokens"]!, w["condition"]!);
      return { loss: sum(mul(y, constant(dy!))) as Scalar, metrics: { y } };
    }, w);
    const named = Object.entries(gradients).map(([name, g]): [string, Tensor] => [`d ${name}`, g]);
    return { y: metrics.y, ...Object.fromEntries(named) };
  }, shapesOf(inputs));
  await using session = await Session.create(program, { threads: 1 });
  const found = await session.run(inputs);
  assertClose(found["y"]!.data, y!.data, 1e-5, "y");
  await setBackend("cpu");
  const named = Object.keys(gradients!).map((name) => {
    const { shape, data } = found[`d ${name}`]!;
    return [name, tensor(data, [...shape])] as const;
  });
  assertAllClose(Object.fromEntries(named), gradients!, 2e-5);
});

Deno.test("a fresh transformer passes its tokens on, whatever the condition", async () => {
  await setBackend("cpu");
  const drawn = initializeBlocks(stream(0), "net", { width: 8, heads: 2, blocks: 3 });
  assert.deepEqual(drawn["net/blocks/2/value/kernel"]!.shape, [2, 8, 4]);
  const draw = (...shape: number[]) =>
    ndarray(shape, stream(1, ...shape).fillNormal(new Float32Array(shape.reduce((a, b) => a * b))));
  const tokens = draw(2, 3, 8), { x, c, ...w } = eager({ ...drawn, x: tokens, c: draw(2, 8) });
  assert.deepEqual([...transformer(w, "net", x!, c!).dataSync()], [...tokens.data]);
});

Deno.test("initializeBlocks() refuses heads that do not divide the width", () => {
  assert.throws(() => initializeBlocks(stream(0), "net", { width: 10, heads: 4, blocks: 1 }), {
    message: "Cannot share 10 numbers among 4 heads: it must be a multiple of them",
  });
});
