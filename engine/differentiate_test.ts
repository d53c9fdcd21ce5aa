import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "./differentiate.ts";
import { array, assertClose, compiled, eager } from "./fixtures/oracle.ts";
import { stopGradient } from "./trace.ts";

const inputs = { x: array([3], 1, -2, 3), unused: array([2, 2], 1, 2, 3, 4) };

for (const [name, run] of Object.entries({ eager, compiled })) {
  Deno.test(`${name}: gradients of unused weights are zeros`, async () => {
    const result = await run((w) => {
      const { loss, gradients } = valueAndGradients(
        ({ x }) => ({ loss: tf.sum(tf.square(x!)) as Scalar }),
        w,
      );
      return { loss, dx: gradients["x"]!, unused: gradients["unused"]! };
    }, inputs);
    assert.deepEqual([...result["loss"]!.data], [14]);
    assert.deepEqual([...result["dx"]!.data], [2, -4, 6]);
    assert.deepEqual([...result["unused"]!.data], [0, 0, 0, 0]);
    assert.deepEqual([...result["unused"]!.shape], [2, 2]);
  });

  Deno.test(`${name}: a loss of nothing has zero gradients`, async () => {
    const result = await run((w) => valueAndGradients(() => ({ loss: tf.scalar(2) }), w).gradients, inputs);
    assert.ok(Object.values(result).every(({ data }) => data.every((element) => element === 0)));
  });

  Deno.test(`${name}: a comparison passes no gradient`, async () => {
    const { x } = await run((w) =>
      valueAndGradients(({ x }) => ({
        loss: tf.sum(
          tf.add(tf.cast(tf.greater(x!, 0), "float32"), tf.mul(tf.cast(tf.less(x!, 0), "float32"), x!)),
        ) as Scalar,
      }), { x: w["x"]! }).gradients, inputs);
    assert.deepEqual([...x!.data], [0, 1, 0]);
  });

  Deno.test(`${name}: stopGradient() holds one factor constant`, async () => {
    const { x } = await run(
      (w) =>
        valueAndGradients(({ x }) => ({ loss: tf.sum(tf.mul(stopGradient(x!), x!)) as Scalar }), {
          x: w["x"]!,
        })
          .gradients,
      inputs,
    );
    assert.deepEqual([...x!.data], [1, -2, 3]);
  });

  Deno.test(`${name}: metrics are handed through, and may be used afterwards`, async () => {
    const { y } = await run((w) => {
      const { metrics } = valueAndGradients(({ x }) => {
        const doubled = tf.mul(x!, 2);
        return { loss: tf.sum(doubled) as Scalar, metrics: { doubled, nested: [tf.neg(x!)] } };
      }, { x: w["x"]! });
      return { y: tf.add(metrics.doubled, metrics.nested[0]!) };
    }, inputs);
    assert.deepEqual([...y!.data], [1, -2, 3]);
  });

  Deno.test(`${name}: one loss after another, the second through the weights of the first`, async () => {
    const f = (w: Record<string, tf.Tensor>) => {
      const x = w["x"]!;
      const first = valueAndGradients((v) => ({ loss: tf.sum(tf.pow(v["x"]!, 2)) as Scalar }), { x });
      const next = tf.sub(x, tf.mul(0.1, first.gradients["x"]!));
      return valueAndGradients((v) => ({ loss: tf.sum(tf.exp(v["x"]!)) as Scalar }), { x: next }).gradients;
    };
    assertClose(await run(f, inputs), { x: array([3], Math.exp(0.8), Math.exp(-1.6), Math.exp(2.4)) }, 1e-6);
  });
}

Deno.test("a loss that is no float32 scalar is refused", async () => {
  await assert.rejects(
    eager((w) => valueAndGradients(({ x }) => ({ loss: x as Scalar }), w).gradients, inputs),
    /Cannot differentiate a loss of float32 \[3\]: it must be a float32 scalar/,
  );
  await assert.rejects(
    eager(() => valueAndGradients(() => ({ loss: tf.scalar(1) }), {}).gradients, inputs),
    /with respect to no weights/,
  );
});
