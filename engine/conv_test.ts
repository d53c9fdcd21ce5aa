import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import { assertAllClose, readFixture } from "../tests/fixtures/numerics.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { valueAndGradients, type Weights } from "./differentiate.ts";
import { assertClose, compiled, eager, normals, withGradients } from "./fixtures/oracle.ts";
import { Learner } from "./learner.ts";
import { compile, compileUpdate } from "./program.ts";
import { Session } from "./session.ts";
import { topological } from "./graph.ts";
import { optimize } from "./passes.ts";
import { type Shapes, trace } from "./trace.ts";

function conv(x: Tensor, kernel: Tensor, stride: number | [number, number], pad: "valid" | "same"): Tensor {
  return tf.conv2d(x as Tensor4D, kernel as Tensor4D, stride, pad);
}

type Case = [x: number[], kernel: number[], stride: number | [number, number], pad: "valid" | "same"];
const cases: Record<string, Case> = {
  "stride 1, valid": [[2, 6, 5, 3], [3, 3, 3, 4], 1, "valid"],
  "stride 2, valid, rows left over": [[3, 8, 8, 3], [3, 3, 3, 4], 2, "valid"],
  "stride 2, valid, nothing left over": [[2, 7, 5, 9], [3, 3, 9, 4], 2, "valid"],
  "stride 1, same": [[2, 5, 4, 3], [3, 3, 3, 2], 1, "same"],
  "stride 2, same": [[2, 5, 6, 9], [3, 3, 9, 2], 2, "same"],
  "other strides and filters": [[1, 9, 6, 2], [2, 3, 2, 3], [2, 1], "same"],
  "filters of one place": [[5, 3, 4, 9], [1, 1, 9, 2], 1, "valid"],
  "filters of one place, stride 2": [[1, 4, 5, 3], [1, 1, 3, 2], 2, "same"],
  "filters as large as the picture": [[3, 4, 4, 8], [4, 4, 8, 5], 1, "valid"],
};

for (const [name, [x, kernel, stride, pad]] of Object.entries(cases)) {
  Deno.test(`convolution, ${name}: values and gradients as tfjs-cpu`, async () => {
    const f = (w: Weights) => tf.relu(tf.add(conv(w["x"]!, w["kernel"]!, stride, pad), w["bias"]!));
    const inputs = normals({ x, kernel, bias: [kernel[3]!] });
    assertClose(await compiled(withGradients(f), inputs), await eager(withGradients(f), inputs), 5e-6);
  });
}

const float32 = (arrays: Record<string, NDArray<Float64Array>>): Tensors =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { shape, data }]) => [name, ndarray(shape, Float32Array.from(data))]),
  );

for (const [name, { y, ...rest }] of Object.entries(readFixture("conv"))) {
  Deno.test(`convolution, ${name}: values and gradients as PyTorch`, async () => {
    const [pad, stride] = name.split(" ") as ["valid" | "same", string];
    const { x, kernel, bias, dy, ...gradients } = rest as Record<string, NDArray<Float64Array>>;
    const results = await compiled(({ dy, ...w }) => {
      const { gradients, metrics } = valueAndGradients((w) => {
        const y = tf.add(conv(w["x"]!, w["kernel"]!, Number(stride), pad), w["bias"]!);
        return { loss: tf.sum(tf.mul(tf.relu(y), dy!)), metrics: { y } };
      }, w);
      const named = Object.entries(gradients).map(([name, g]) => [`gradient of ${name}`, g]);
      return { y: metrics.y, ...Object.fromEntries(named) };
    }, float32({ x: x!, kernel: kernel!, bias: bias!, dy: dy! }));
    const tensors = Object.entries(results).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data, [...shape]),
    ]);
    await tf.setBackend("cpu");
    assertAllClose(Object.fromEntries(tensors), { y: y!, ...gradients }, 1e-5);
  });
}

const shapes: Shapes = { a: [3, 3, 3, 8], bias: [8], b: [3, 3, 8, 8] };
const two = (w: Weights, x: Tensor) =>
  conv(tf.relu(tf.add(conv(x, w["a"]!, 2, "valid"), w["bias"]!)), w["b"]!, 1, "valid");
function step(state: Weights, { x }: Weights) {
  const { loss, gradients } = valueAndGradients((w) => ({ loss: tf.mean(tf.square(two(w, x!))) }), state);
  const next = Object.entries(state).map(([name, p]) => [name, tf.sub(p, tf.mul(0.1, gradients[name]!))]);
  return { state: Object.fromEntries(next), metrics: { loss } };
}

Deno.test("updates with convolutions: the same bytes in one call of 3 and in 3 calls, on 1 thread and 2", async () => {
  const program = compileUpdate(step, { state: shapes, batch: { x: [5, 9, 9, 3] } });
  assert.equal(compileUpdate(step, { state: shapes, batch: { x: [5, 9, 9, 3] } }).digest, program.digest);
  const state = normals(shapes, 2, 0.2);
  const { x } = normals({ x: [3, 5, 9, 9, 3] });
  await using together = await Learner.create(program, state, { threads: 1 });
  const { loss } = await together.update({ x: x! });
  assert.ok(loss!.data[2]! < loss!.data[0]!);
  await using single = await Learner.create(program, state, { threads: 2 });
  for (let k = 0; k < 3; k++) {
    const size = x!.data.length / 3;
    await single.update({ x: ndarray([1, 5, 9, 9, 3], x!.data.slice(k * size, (k + 1) * size)) });
  }
  assert.deepEqual(single.state, together.state);
});

Deno.test("a picture with NaN leaves the others of its batch as they are", async () => {
  const inputs = { ...normals(shapes), ...normals({ x: [3, 7, 7, 3] }) };
  await using session = await Session.create(
    compile(({ x, ...w }) => ({ y: two(w, x!) }), { ...shapes, x: [3, 7, 7, 3] }),
  );
  const clean = (await session.run(inputs))["y"]!;
  const spoiled = inputs["x"]!.data.slice();
  spoiled[7 * 7 * 3 + 5] = NaN;
  const y = (await session.run({ ...inputs, x: ndarray([3, 7, 7, 3], spoiled) }))["y"]!;
  const rows = (data: Float32Array) => [0, 1, 2].map((i) => data.slice(i * 8, (i + 1) * 8));
  assert.deepEqual([rows(y.data)[0], rows(y.data)[2]], [rows(clean.data)[0], rows(clean.data)[2]]);
  assert.ok(rows(y.data)[1]!.some(Number.isNaN));
});

Deno.test("a gradient cuts off as much at one side as at the other: a GPU has no kernel for anything else", () => {
  for (const [x, kernel, stride, pad] of Object.values(cases)) {
    const { outputs } = trace(withGradients((w) => conv(w["x"]!, w["kernel"]!, stride, pad)), { x, kernel });
    for (const { op, attributes } of topological(Object.values(outputs))) {
      if (op !== "ConvTranspose") continue;
      const [top, left, bottom, right] = attributes["pads"] as number[];
      assert.deepEqual([top, left], [bottom, right]);
    }
  }
});

Deno.test("between two convolutions nothing is moved, and they add their biases themselves", () => {
  const { graph, outputs } = trace(
    ({ x, ...w }) => ({ y: two(w, x!) }),
    { ...shapes, x: [3, 7, 7, 3] },
  );
  const [y] = optimize(graph, [outputs["y"]!]);
  const left = topological([y!]).map(({ op }) => op).filter((op) => !["Input", "Splat"].includes(op));
  // In: the pictures and two filters; out: the result, of one position, which needs no moving.
  assert.deepEqual(left, ["Transpose", "Transpose", "Conv", "Relu", "Transpose", "Conv", "Reshape"]);
});

Deno.test("a dilated convolution cannot be traced", () => {
  const dilated = ({ x, a }: Weights) => ({
    y: tf.conv2d(x as Tensor4D, a as Tensor4D, 1, "valid", "NHWC", 2),
  });
  assert.throws(() => trace(dilated, { x: [1, 9, 9, 3], a: [3, 3, 3, 8] }), {
    message: /^Cannot trace a convolution of NHWC with dilations of 2: it must be NHWC without dilation/,
  });
});
