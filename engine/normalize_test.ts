import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Weights } from "./differentiate.ts";
import {
  assertClose,
  compiled,
  eager,
  finiteDifferences,
  normals,
  withGradients,
} from "./fixtures/oracle.ts";
import { layerNorm } from "./normalize.ts";
import { compile } from "./program.ts";

const apply = ({ x, gain, bias }: Weights) => layerNorm(x!, gain!, bias!);
const plain = ({ x, gain, bias }: Weights) => {
  const { mean, variance } = tf.moments(x!, -1, true);
  const row = (v: tf.Tensor) => v.rank === 2 ? tf.expandDims(v, 1) : v;
  return tf.add(tf.mul(tf.div(tf.sub(x!, mean), tf.sqrt(tf.add(variance, 1e-6))), row(gain!)), row(bias!));
};

const cases = {
  "[B, H]": { x: [5, 8], gain: [8], bias: [8] },
  "[B, T, H]": { x: [2, 3, 8], gain: [8], bias: [8] },
  "stacked [E, B, H]": { x: [2, 5, 8], gain: [2, 8], bias: [2, 8] },
};
for (const [name, shapes] of Object.entries(cases)) {
  Deno.test(`layerNorm() of ${name}: values and gradients as written out, eagerly and compiled`, async () => {
    const inputs = normals(shapes, 2);
    const wanted = await eager(withGradients(plain), inputs);
    assertClose(await eager(withGradients(apply), inputs), wanted, 2e-6);
    assertClose(await compiled(withGradients(apply), inputs), wanted, 3e-6);
    assertClose(await compiled((w) => ({ value: apply(w) }), inputs), { value: wanted["value"]! }, 3e-6);
    const { value: _value, ...gradients } = wanted;
    assertClose(gradients, await finiteDifferences(apply, inputs), 1e-2);
  });
}

Deno.test("layerNorm() of rows of one value is the bias", async () => {
  const inputs = normals({ x: [2, 4], gain: [4], bias: [4] });
  inputs["x"]!.data.fill(3);
  const { value } = await compiled((w) => ({ value: apply(w) }), inputs);
  assert.deepEqual([...value!.data.slice(4)], [...inputs["bias"]!.data]);
});

Deno.test("layerNorm() names the shape that does not fit", () => {
  const of = (x: number[], gain: number[], bias: number[]) =>
    compile((w) => ({ y: apply(w) }), { x, gain, bias });
  assert.throws(() => of([2, 4], [3], [4]), /a gain of \[3\]: it must be \[4\]/);
  assert.throws(() => of([2, 5, 4], [2, 4], [4]), /a bias of \[4\]: it must be \[2,4\]/);
  assert.throws(() => of([5, 4], [2, 4], [2, 4]), /x must be \[\.\.\., H\] or \[E, B, H\]/);
});
