import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weights } from "./differentiate.ts";
import { assertClose, compiled, eager, normals } from "./fixtures/oracle.ts";
import { topological, type Value } from "./graph.ts";
import { optimize } from "./passes.ts";
import { type Shapes, trace } from "./trace.ts";

const LEAVES = ["Input", "Constant", "Splat"];

interface Case {
  readonly shapes: Shapes;
  readonly f: (w: Weights) => Tensor;
  /** Operators left, in order. */
  readonly left: string;
}

const x = { x: [4, 6] };
const ones = (shape: number[]) => tf.ones(shape);
const cases: Record<string, Case> = {
  "identities vanish": {
    shapes: x,
    f: ({ x }) => tf.reshape(tf.transpose(tf.cast(tf.clone(x!), "float32"), [0, 1]), [4, 6]),
    left: "",
  },
  "reshapes join": { shapes: x, f: ({ x }) => tf.reshape(tf.reshape(x!, [24]), [2, 12]), left: "Reshape" },
  "transposing an axis of 1 moves nothing": {
    shapes: { x: [1, 4, 6] },
    f: ({ x }) => tf.transpose(x!, [1, 0, 2]),
    left: "Reshape",
  },
  "two transpositions cancel": { shapes: x, f: ({ x }) => tf.transpose(tf.transpose(x!)), left: "" },
  "a slice of a slice": {
    shapes: x,
    f: ({ x }) => tf.slice(tf.slice(x!, [1, 1], [3, 4]), [1, 2], [1, 2]),
    left: "Slice",
  },
  "a slice of a part of a concatenation": {
    shapes: { x: [4, 6], y: [4, 3] },
    f: ({ x, y }) => tf.slice(tf.concat([x!, y!], 1), [0, 7], [4, 2]),
    left: "Slice",
  },
  "unstacked and stacked again": { shapes: x, f: ({ x }) => tf.concat(tf.split(x!, 3, 1), 1), left: "" },
  "arithmetic with neutral numbers": {
    shapes: x,
    f: ({ x }) => tf.pow(tf.div(tf.mul(tf.sub(tf.add(x!, 0), 0), 1), 1), 1),
    left: "",
  },
  "constants are computed once": {
    shapes: x,
    f: ({ x }) => tf.mul(x!, tf.sqrt(tf.add(3, tf.scalar(1)))),
    left: "Mul",
  },
  "factors are gathered": {
    shapes: x,
    f: ({ x }) => tf.mul(tf.div(tf.mul(tf.neg(x!), 3), 4), 5),
    left: "Mul",
  },
  "a square of a multiple": {
    shapes: x,
    f: ({ x }) => tf.mul(tf.square(tf.mul(x!, 3)), 0.5),
    left: "Mul Mul",
  },
  "signs": {
    shapes: { x: [4, 6], y: [4, 6] },
    f: ({ x, y }) => tf.sub(tf.neg(tf.neg(x!)), tf.neg(y!)),
    left: "Add",
  },
  "a product with ones": { shapes: x, f: ({ x }) => tf.mul(x!, ones([4, 6])), left: "" },
  "a product with zeros": { shapes: x, f: ({ x }) => tf.add(x!, tf.mul(tf.exp(x!), 0)), left: "" },
  "a row is not expanded": {
    shapes: { x: [4, 6], y: [6] },
    f: ({ x, y }) => tf.add(x!, tf.exp(tf.tile(tf.reshape(y!, [1, 6]), [4, 1]))),
    left: "Reshape Exp Add",
  },
  "a mean of copies": {
    shapes: { y: [6] },
    f: ({ y }) => tf.mean(tf.broadcastTo(y!, [4, 6]), 0),
    left: "",
  },
  "a sum of copies": {
    shapes: { y: [1, 6] },
    f: ({ y }) => tf.sum(tf.tile(y!, [4, 1]), 0, true),
    left: "Mul",
  },
  "a tiled operand of a product": {
    shapes: { x: [4, 6], y: [2, 6, 3] },
    f: ({ x, y }) => tf.matMul(tf.tile(tf.expandDims(x!, 0), [2, 1, 1]), y!),
    left: "MatMul",
  },
  "a batch of one": {
    shapes: { x: [1, 4, 6], y: [6, 3] },
    f: ({ x, y }) => tf.matMul(x!, tf.reshape(y!, [1, 6, 3])),
    left: "Reshape MatMul Reshape",
  },
  "a product takes transpositions, a factor and a bias": {
    shapes: { x: [6, 4], y: [3, 6], b: [3] },
    f: ({ x, y, b }) => tf.add(tf.mul(tf.matMul(tf.transpose(x!), tf.transpose(y!)), 0.5), b!),
    left: "MatMul",
  },
  "an outer product": {
    shapes: { x: [4, 1], y: [1, 6] },
    f: ({ x, y }) => tf.matMul(x!, y!),
    left: "Mul",
  },
  "columns of a product": {
    shapes: { x: [4, 6], y: [6, 8] },
    f: ({ x, y }) => tf.slice(tf.matMul(x!, y!), [0, 5], [4, 3]),
    left: "Slice MatMul",
  },
  "columns of a sum of a batched product": {
    shapes: { x: [2, 4, 6], y: [2, 8, 6] },
    f: ({ x, y }) => tf.slice(tf.sum(tf.matMul(x!, y!, false, true), 0), [0, 5], [4, 3]),
    left: "Slice MatMul ReduceSum Reshape",
  },
  "a sum of squares": {
    shapes: x,
    f: ({ x }) => tf.sum(tf.square(tf.mul(x!, 1))),
    left: "ReduceSumSquare Reshape",
  },
  "a sum of multiples": { shapes: x, f: ({ x }) => tf.sum(tf.mul(x!, 3)), left: "ReduceSum Mul Reshape" },
  "long column sums are products with ones": {
    shapes: { x: [512, 16] },
    f: ({ x }) => tf.sum(x!, 0),
    left: "MatMul Reshape",
  },
};

function operators(value: Value): string {
  return topological([value]).map(({ op }) => op).filter((op) => !LEAVES.includes(op)).join(" ");
}

for (const [name, { shapes, f, left }] of Object.entries(cases)) {
  Deno.test(`${name}: fewer operators, the same values`, async () => {
    const { graph, outputs } = trace((w) => ({ y: f(w) }), shapes);
    const [value] = optimize(graph, [outputs["y"]!]);
    assert.equal(operators(value!), left);
    assert.deepEqual(value!.shape, outputs["y"]!.shape);
    const inputs = normals(shapes);
    assertClose(
      await compiled((w) => ({ y: tf.add(f(w), 1) }), inputs),
      await eager((w) => ({ y: tf.add(f(w), 1) }), inputs),
      2e-6,
    );
  });
}

const four = { a: [3], b: [3], c: [3], d: [3], scale: [] };
const chain = (x: Tensor, scale: Tensor) => tf.add(tf.mul(tf.exp(x), scale), 1);

Deno.test("small arrays of one form are computed side by side", async () => {
  const f = ({ scale, ...rest }: Weights) =>
    Object.fromEntries(Object.entries(rest).map(([name, x]) => [`${name}'`, chain(x, scale!)]));
  const { graph, outputs } = trace(f, four);
  const packed = optimize(graph, Object.values(outputs));
  const left = topological(packed).map(({ op }) => op).filter((op) => !LEAVES.includes(op)).join(" ");
  assert.equal(left, "Concat Exp Mul Add Slice Slice Slice Slice");
  const inputs = normals(four);
  assertClose(await compiled(f, inputs), await eager(f, inputs), 2e-6);
});

Deno.test("small arrays computed from one another are left alone", async () => {
  const f = ({ a, scale }: Weights) => {
    let x = a!;
    for (let i = 0; i < 6; i++) x = chain(tf.softmax(x), scale!);
    return { x };
  };
  const { graph, outputs } = trace(f, four);
  const ops = topological(optimize(graph, Object.values(outputs))).map(({ op }) => op);
  assert.ok(!ops.includes("Concat"));
  assert.equal(ops.filter((op) => op === "Exp").length, 6);
  assertClose(await compiled(f, normals(four)), await eager(f, normals(four)), 2e-6);
});

Deno.test("sums of squares of small arrays are one", async () => {
  const f = ({ scale, ...rest }: Weights) => ({
    norm: tf.sqrt(Object.values(rest).reduce<Tensor>((sum, x) => tf.add(sum, tf.sum(tf.square(x))), scale!)),
  });
  const { graph, outputs } = trace(f, four);
  const ops = topological(optimize(graph, Object.values(outputs))).map(({ op }) => op);
  assert.equal(ops.filter((op) => op === "ReduceSumSquare").length, 1);
  const inputs = { ...normals(four), scale: { shape: [], data: Float32Array.of(2) } };
  assertClose(await compiled(f, inputs), await eager(f, inputs), 2e-6);
});

Deno.test("a product read by others than a slice stays whole", () => {
  const { graph, outputs } = trace(({ x, y }) => {
    const product = tf.matMul(x!, y!);
    return { part: tf.slice(product, [0, 0], [4, 2]), whole: product };
  }, { x: [4, 6], y: [6, 8] });
  const [part, whole] = optimize(graph, Object.values(outputs));
  assert.equal(part!.inputs[0], whole);
});

Deno.test("optimize() of an optimized graph changes nothing", () => {
  const { graph, outputs } = trace(
    ({ x, y }) => ({ z: tf.sum(tf.square(tf.mul(tf.matMul(x!, y!), tf.exp(tf.neg(x!))))) }),
    { x: [4, 4], y: [4, 4] },
  );
  const once = optimize(graph, Object.values(outputs));
  assert.deepEqual(optimize(graph, once), once);
});
