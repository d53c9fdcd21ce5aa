import assert from "node:assert/strict";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { eager } from "./fixtures/oracle.ts";
import { constant, stopGradient, trace } from "./trace.ts";

const of = (f: (x: Tensor) => Tensor) => trace(({ x }) => ({ y: f(x!) }), { x: [2, 3] });

Deno.test("trace() records a graph of the outputs", () => {
  const { inputs, outputs } = of((x) => tf.tanh(tf.add(x, x)));
  assert.equal(outputs["y"]!.op, "Tanh");
  assert.deepEqual(outputs["y"]!.inputs[0]!.inputs, [inputs["x"], inputs["x"]]);
  assert.deepEqual(outputs["y"]!.shape, [2, 3]);
});

const random: Record<string, (x: Tensor) => Tensor> = {
  randomNormal: () => tf.randomNormal([2, 3]),
  "randomNormal with a seed": () => tf.randomNormal([2, 3], 0, 1, "float32", 7),
  randomUniform: () => tf.randomUniform([2, 3]),
  truncatedNormal: () => tf.truncatedNormal([2, 3]),
  dropout: (x) => tf.dropout(x, 0.5),
};
for (const [name, f] of Object.entries(random)) {
  Deno.test(`tf.${name} throws while tracing`, () => {
    assert.throws(
      () => of(f),
      /Cannot draw random numbers while tracing \(tf\.\w+\).*pass noise as an input/,
    );
  });
}

Deno.test("reading a traced tensor throws", () => {
  const message = /Cannot read a traced tensor: its numbers exist only when the program runs/;
  assert.throws(() => of((x) => tf.scalar(x.dataSync()[0]!)), message);
  assert.throws(() => of((x) => tf.tensor(x.arraySync())), message);
});

Deno.test("data() of a traced tensor rejects", async () => {
  let promise: Promise<unknown> | undefined;
  of((x) => {
    promise = x.data();
    return x;
  });
  await assert.rejects(promise!, /Cannot read a traced tensor/);
});

Deno.test("a tensor from outside throws and names the remedy", async () => {
  await tf.setBackend("cpu");
  const outside = tf.tensor([1, 2, 3]);
  assert.throws(
    () => of((x) => tf.mul(x, outside)),
    /Cannot trace Multiply of a tensor \[3\] made outside.*constant\(\)/,
  );
});

Deno.test("a kernel without a recording throws and is named", () => {
  assert.throws(
    () => of((x) => tf.asinh(x)),
    /Cannot trace the tfjs kernel Asinh: engine\/ has no recording of it/,
  );
});

Deno.test("an error in the function leaves tracing usable, and a trace inside a trace throws", () => {
  assert.throws(() =>
    of(() => {
      throw new Error("own");
    }), /own/);
  assert.throws(() => of(() => of((x) => x) as never), /Cannot trace while tracing/);
  assert.equal(of(tf.tanh).outputs["y"]!.op, "Tanh");
});

Deno.test("the backend that was current before is current afterwards, and computes", async () => {
  await tf.setBackend("cpu");
  of(tf.tanh);
  assert.equal(tf.getBackend(), "cpu");
  assert.equal(tf.add(1, 2).dataSync()[0], 3);
});

Deno.test("tracing leaves no tensors behind", async () => {
  await tf.setBackend("cpu");
  const before = tf.memory().numTensors;
  of((x) => tf.sum(tf.mul(x, tf.softmax(x))));
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("a traced tensor that leaks out of its trace cannot be used", async () => {
  await tf.setBackend("cpu");
  let leaked: Tensor | undefined;
  of((x) => leaked = tf.keep(tf.tanh(x)));
  assert.throws(() => tf.add(leaked!, 1), /Cannot read a traced tensor/);
});

Deno.test("constant() is baked in while tracing and eager otherwise", async () => {
  const array = { shape: [3], data: Float32Array.of(1, 2, 3) };
  assert.equal(of(() => constant(array)).outputs["y"]!.op, "Constant");
  const { y } = await eager(() => ({ y: constant(array) }), {});
  assert.deepEqual(y!.data, array.data);
});

Deno.test("stopGradient() is the identity in the graph", () => {
  const { inputs, outputs } = of(stopGradient);
  assert.equal(outputs["y"], inputs["x"]);
});
