import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { array, compiled } from "./fixtures/oracle.ts";
import { shapes, update } from "./fixtures/small_update.ts";
import { layerNorm } from "./normalize.ts";
import { compile, compileUpdate } from "./program.ts";
import { constant } from "./trace.ts";

const policy = () =>
  compile(({ observation }) => {
    const kernel = constant(array([3, 2], 1, 2, 3, 4, 5, 6));
    return { action: tf.tanh(tf.add(tf.matMul(observation!, kernel), 0.5)) };
  }, { observation: [1, 3] });

// New values retire every program that results were computed with: CHANGELOG says why.
Deno.test("the bytes of a policy and of an update are pinned", () => {
  assert.equal(policy().digest, "5a9f2a799bc337ae44340bc2b62dbb1a5811b0effc85a5e5788b2837bf1b7848");
  assert.equal(
    compileUpdate(update, shapes).digest,
    "d4c26f49a2c3869eed74f4fc5341f03ad3115d565743b46fabe3518f28a83a3b",
  );
});

Deno.test("compiling twice gives the same bytes", () => {
  assert.deepEqual(compileUpdate(update, shapes).onnx, compileUpdate(update, shapes).onnx);
});

Deno.test("a policy carries its weights in its bytes", () => {
  const { onnx, inputs, outputs } = policy();
  assert.deepEqual([inputs, outputs], [{ observation: [1, 3] }, { action: [1, 2] }]);
  const weights = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
  assert.ok(String([...onnx]).includes(String([...weights])));
});

Deno.test("compileUpdate() lists inputs and outputs, K as -1", () => {
  const { inputs, outputs } = compileUpdate(
    ({ w }, { x }) => ({ state: { w: tf.add(w!, x!) }, metrics: { size: tf.sum(w!) } }),
    { state: { w: [2] }, batch: { x: [2] } },
  );
  assert.deepEqual(inputs, { "state/w": [2], "batch/x": [-1, 2] });
  assert.deepEqual(outputs, { "state/w": [2], "metrics/size": [-1] });
});

Deno.test("outputs may be inputs, each other, constants, comparisons, and named as inputs", async () => {
  const x = array([2], 1, -1);
  const result = await compiled(({ x }) => {
    const y = tf.exp(x!);
    return {
      x: y,
      same: x!,
      again: x!,
      y,
      twin: y,
      more: tf.mul(y, 2),
      ones: tf.ones([2]),
      positive: tf.greater(x!, 0),
    };
  }, { x });
  const e = [...Float32Array.of(Math.E, 1 / Math.E)];
  const numbers = Object.fromEntries(Object.entries(result).map(([name, { data }]) => [name, [...data]]));
  for (const name of ["x", "y", "twin"]) {
    numbers[name]!.forEach((v, i) => assert.ok(Math.abs(v - e[i]!) < 1e-6));
  }
  assert.deepEqual(numbers["same"], [1, -1]);
  assert.deepEqual(numbers["again"], [1, -1]);
  assert.deepEqual(numbers["ones"], [1, 1]);
  assert.deepEqual(numbers["positive"], [1, 0]);
});

Deno.test("an input that is not used stays an input; large constants of one number are not written out", async () => {
  const program = compile(({ x }) => ({ y: tf.concat([x!, tf.zeros([100, 100])], 0) }), {
    x: [1, 100],
    unused: [3],
  });
  assert.deepEqual(Object.keys(program.inputs), ["x", "unused"]);
  assert.ok(program.onnx.length < 1000);
  const { y } = await compiled(({ x }) => ({ y: tf.concat([x!, tf.zeros([100, 100])], 0) }), {
    x: { shape: [1, 100], data: new Float32Array(100).fill(1) },
  });
  assert.equal(y!.data.reduce((a, b) => a + b), 100);
});

Deno.test("names cannot clash with those of inner values", () => {
  assert.throws(() => compile(({ x }) => ({ $0: x! }), { x: [1] }), /"\$0": it must not begin with \$ or #/);
  assert.throws(() => compile(() => ({}), { x: [1] }), /without outputs: return at least one/);
});

Deno.test("layer normalisation without a gradient is one operator", () => {
  const { onnx } = compile(({ x, g, b }) => ({ y: layerNorm(x!, g!, b!) }), { x: [4, 8], g: [8], b: [8] });
  const text = new TextDecoder("latin1").decode(onnx);
  assert.ok(text.includes("LayerNormalization"));
  assert.ok(!text.includes("Sub"));
});
