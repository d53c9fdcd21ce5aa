import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import {
  array,
  assertClose,
  compiled,
  eager,
  finiteDifferences,
  normals,
  withGradients,
} from "./fixtures/oracle.ts";
import type { Weights } from "./differentiate.ts";
import { layerNorm, rmsNorm } from "./normalize.ts";
import { type Shapes, stopGradient } from "./trace.ts";
import type { Tensors } from "../ndarray.ts";

type Case = [f: (w: Weights) => Tensor, shapes: Shapes, make?: (inputs: Tensors) => Tensors];

const x = { x: [3, 4] };
const xy = { x: [3, 4], y: [3, 4] };
const positive = (inputs: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [name, {
      shape,
      data: data.map((v) => Math.abs(v) + 0.5),
    }]),
  );
const inside = (inputs: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [name, {
      shape,
      data: data.map((v) => Math.tanh(v) * 0.8),
    }]),
  );
// Farther apart than the step of finite differences: the order of any two stays what it is.
const apart = (inputs: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => {
      const order = data.toSorted();
      return [name, { shape, data: data.map((v) => 0.1 * order.indexOf(v) - 2) }];
    }),
  );
const one = (f: (x: Tensor) => Tensor) => (w: Weights) => f(w["x"]!);
const two = (f: (x: Tensor, y: Tensor) => Tensor) => (w: Weights) => f(w["x"]!, w["y"]!);

// Smooth at the points drawn: checked against finite differences too.
const smooth: Record<string, Case> = {
  abs: [one(tf.abs), x],
  neg: [one(tf.neg), x],
  exp: [one(tf.exp), x],
  log: [one(tf.log), x, positive],
  sqrt: [one(tf.sqrt), x, positive],
  rsqrt: [one(tf.rsqrt), x, positive],
  square: [one(tf.square), x],
  reciprocal: [one(tf.reciprocal), x, positive],
  tanh: [one(tf.tanh), x],
  atanh: [one(tf.atanh), x, inside],
  sigmoid: [one(tf.sigmoid), x],
  softplus: [one(tf.softplus), x],
  logSigmoid: [one(tf.logSigmoid), x],
  relu: [one(tf.relu), x],
  relu6: [one((x) => tf.relu6(tf.mul(x, 4))), x],
  leakyRelu: [one((x) => tf.leakyRelu(x, 0.1)), x],
  elu: [one(tf.elu), x],
  prelu: [two(tf.prelu), xy],
  erf: [one(tf.erf), x],
  sin: [one(tf.sin), x],
  cos: [one(tf.cos), x],
  clip: [one((x) => tf.clipByValue(x, -0.5, 0.7)), x],
  silu: [one((x) => tf.mul(x, tf.sigmoid(x))), x],
  gelu: [one((x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))))), x],
  add: [two(tf.add), xy],
  sub: [two(tf.sub), xy],
  mul: [two(tf.mul), xy],
  div: [two(tf.div), xy, positive],
  maximum: [two(tf.maximum), xy],
  minimum: [two(tf.minimum), xy],
  pow: [two(tf.pow), xy, positive],
  "pow of a negative base by an integer": [one((x) => tf.pow(x, tf.scalar(3, "int32"))), x],
  squaredDifference: [two(tf.squaredDifference), xy],
  "broadcast of rows": [two(tf.mul), { x: [3, 4], y: [4] }],
  "broadcast of columns": [two(tf.sub), { x: [3, 1], y: [3, 4] }],
  "broadcast of both": [two(tf.div), { x: [2, 1, 4], y: [3, 1] }, positive],
  "broadcast of a scalar": [two(tf.mul), { x: [3, 4], y: [] }],
  where: [two((x, y) => tf.where(tf.greater(x, y), tf.mul(x, y), y)), xy],
  "where with broadcasting": [two((x, y) => tf.where(tf.less(x, 0), x, y)), { x: [3, 4], y: [4] }],
  addN: [two((x, y) => tf.addN([x, y, x])), xy],
  "cast of a comparison": [two((x, y) => tf.mul(x, tf.cast(tf.greaterEqual(x, y), "float32"))), xy],
  sum: [one((x) => tf.sum(x, 0)), x],
  "sum of all": [one((x) => tf.sum(x)), x],
  "sum over two axes": [one((x) => tf.sum(x, [0, 2], true)), { x: [2, 3, 4] }],
  "sum of squares": [one((x) => tf.sum(tf.square(x))), x],
  mean: [one((x) => tf.mean(x, -1)), x],
  "mean of all": [one((x) => tf.mean(x)), x],
  max: [one((x) => tf.max(x, 1)), x],
  min: [one((x) => tf.min(x, 0, true)), x],
  logSumExp: [one((x) => tf.logSumExp(x, 1)), x],
  softmax: [one(tf.softmax), { x: [2, 3, 4] }],
  logSoftmax: [one((x) => tf.logSoftmax(x)), x],
  cumsum: [one((x) => tf.cumsum(x, 1)), x],
  "cumsum exclusive and reversed": [one((x) => tf.cumsum(x, 0, true, true)), x],
  moments: [one((x) => tf.add(tf.moments(x, 0).mean, tf.moments(x, 0).variance)), x],
  norm: [one((x) => tf.norm(x, "euclidean", 1)), x],
  "norm of a matrix": [one((x) => tf.norm(x)), x],
  reshape: [one((x) => tf.reshape(x, [2, -1])), x],
  expandDims: [one((x) => tf.mul(tf.expandDims(x, -1), tf.expandDims(x, 0))), { x: [3] }],
  transpose: [one((x) => tf.transpose(x, [2, 0, 1])), { x: [2, 3, 4] }],
  concat: [two((x, y) => tf.concat([x, y, x], 1)), { x: [3, 4], y: [3, 2] }],
  stack: [two((x, y) => tf.stack([x, y], 1)), xy],
  unstack: [one((x) => tf.mul(tf.unstack(x)[0]!, tf.unstack(x)[2]!)), x],
  split: [one((x) => tf.mul(tf.split(x, 2, 1)[0]!, tf.split(x, [1, -1, 1], 1)[1]!)), x],
  slice: [one((x) => tf.slice(x, [1, 0], [2, -1])), x],
  reverse: [one((x) => tf.reverse(x, 1)), x],
  pad: [one((x) => tf.pad(x, [[1, 0], [0, 2]], 3)), x],
  tile: [one((x) => tf.tile(x, [2, 3])), x],
  "tile of unit axes": [one((x) => tf.tile(x, [2, 1, 3])), { x: [1, 4, 1] }],
  broadcastTo: [one((x) => tf.broadcastTo(x, [2, 3, 4])), { x: [3, 1] }],
  matMul: [two((x, y) => tf.matMul(x, y)), { x: [3, 4], y: [4, 2] }],
  "matMul transposed": [two((x, y) => tf.matMul(x, y, true, true)), { x: [4, 3], y: [2, 4] }],
  "matMul batched": [two((x, y) => tf.matMul(x, y, false, true)), { x: [2, 3, 4], y: [2, 5, 4] }],
  "matMul with a broadcast batch": [two((x, y) => tf.matMul(x, y, true)), { x: [1, 4, 3], y: [2, 4, 5] }],
  "matMul of a tiled operand": [
    two((x, y) => tf.matMul(tf.tile(tf.expandDims(x, 0), [2, 1, 1]), y)),
    { x: [3, 4], y: [2, 4, 5] },
  ],
  "outer product": [two((x, y) => tf.matMul(x, y)), { x: [2, 3, 1], y: [2, 1, 4] }],
  attention: [
    ({ q, k, v }) =>
      tf.matMul(
        tf.softmax(tf.mul(tf.matMul(q!, k!, false, true), 0.5)),
        tf.transpose(tf.transpose(v!, [0, 2, 1]), [0, 2, 1]),
      ),
    { q: [2, 3, 4], k: [2, 5, 4], v: [2, 5, 4] },
  ],
  "attention in heads, with a scale and a mask": [
    ({ q, k, v, mask }) => {
      const heads = (x: Tensor) =>
        tf.reshape(tf.transpose(tf.reshape(x, [2, -1, 2, 3]), [0, 2, 1, 3]), [4, -1, 3]);
      const scores = tf.add(tf.mul(tf.matMul(heads(q!), heads(k!), false, true), 3 ** -0.5), mask!);
      return tf.transpose(tf.reshape(tf.matMul(tf.softmax(scores), heads(v!)), [2, 2, 3, 3]), [0, 2, 1, 3]);
    },
    { q: [2, 3, 6], k: [2, 4, 6], v: [2, 4, 6], mask: [3, 4] },
  ],
  "adaptive layer normalisation": [
    ({ x, shift, scale, gate }) => {
      const normalized = layerNorm(x!, tf.ones([5]), tf.zeros([5]));
      const moved = tf.add(tf.mul(normalized, tf.add(tf.expandDims(scale!, 1), 1)), tf.expandDims(shift!, 1));
      return tf.add(x!, tf.mul(tf.expandDims(gate!, 1), moved));
    },
    { x: [2, 3, 5], shift: [2, 5], scale: [2, 5], gate: [2, 5] },
  ],
  "gelu by tanh": [
    one((x) => {
      const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
      return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
    }),
    x,
  ],
  "root mean square normalisation": [two((x, y) => rmsNorm(x, y)), { x: [2, 3, 5], y: [5] }],
  "maxPool": [one((x) => tf.maxPool(x as Tensor4D, 2, 2, "valid")), { x: [2, 5, 4, 3] }, apart],
  "maxPool of overlapping windows": [
    one((x) => tf.maxPool(x as Tensor4D, 3, 2, "same")),
    { x: [2, 8, 7, 2] },
    apart,
  ],
  "maxPool of uneven windows": [
    one((x) => tf.maxPool(x as Tensor4D, [3, 2], [1, 3], "same")),
    { x: [1, 5, 8, 2] },
    apart,
  ],
  "maxPool of windows further apart than they are wide": [
    one((x) => tf.maxPool(x as Tensor4D, 1, 3, "valid")),
    { x: [1, 7, 5, 2] },
    apart,
  ],
  gather: [one((x) => tf.gather(x, tf.tensor1d([2, 0, 2], "int32"))), x],
  "gather along the last axis": [one((x) => tf.gather(x, tf.tensor2d([[3, 1]], [1, 2], "int32"), 1)), x],
  unsortedSegmentSum: [one((x) => tf.unsortedSegmentSum(x, tf.tensor1d([1, 0, 1], "int32"), 3)), x],
  "sinusoidal time": [
    one((x) => {
      const angles = tf.mul(tf.expandDims(x, -1), tf.exp(tf.mul(tf.range(0, 3), -0.7)));
      return tf.concat([tf.sin(angles), tf.cos(angles)], -1);
    }),
    { x: [5] },
  ],
  stopGradient: [one((x) => tf.mul(tf.sub(x, stopGradient(x)), x)), x],
};

for (const [name, [f, shapes, make = (inputs: Tensors) => inputs]] of Object.entries(smooth)) {
  Deno.test(`${name}: values and gradients as tfjs-cpu and as finite differences`, async () => {
    const inputs = make(normals(shapes));
    const wanted = await eager(withGradients(f), inputs);
    assertClose(await compiled(withGradients(f), inputs), wanted, 2e-6);
    if (name === "stopGradient") return; // finite differences see through it
    const { value: _value, ...gradients } = wanted;
    assertClose(gradients, await finiteDifferences(f, inputs), 1e-2);
  });
}

const NaNs = array([6], NaN, -1, 0, 1, Infinity, -Infinity);
const ties = { x: array([4], 0, -0.5, 1, 2), y: array([4], 0, -0.5, 3, 1) };

// Kinks, ties, NaN and infinities: the same as tfjs-cpu with our gradients, to the bit where both are exact.
const odd: Record<string, [f: (w: Weights) => Tensor, inputs: Tensors]> = {
  "abs at 0": [one(tf.abs), { x: array([3], 0, -2, 3) }],
  "relu at 0": [one(tf.relu), { x: array([3], 0, -2, 3) }],
  "leakyRelu at 0": [one((x) => tf.leakyRelu(x, 0.3)), { x: array([3], 0, -2, 3) }],
  "clip at its bounds": [one((x) => tf.clipByValue(x, -1, 1)), { x: array([5], -1, 1, 0, 2, -2) }],
  "sqrt at 0": [one(tf.sqrt), { x: array([2], 0, 4) }],
  "norm of zeros": [one((x) => tf.norm(x)), { x: array([2], 0, 0) }],
  "maximum of ties": [two(tf.maximum), ties],
  "minimum of ties": [two(tf.minimum), ties],
  "max of ties": [one((x) => tf.max(x)), { x: array([4], 2, 1, 2, 0) }],
  "maxPool of ties": [
    one((x) => tf.maxPool(tf.reshape(x, [1, 3, 3, 1]) as Tensor4D, 2, 1, "same")),
    { x: array([9], 1, 1, 0, 1, 1, 2, 2, 2, 2) },
  ],
  "min of ties": [one((x) => tf.min(x)), { x: array([4], 2, 1, 1, 3) }],
  "pow of 0": [two(tf.pow), { x: array([3], 0, 0, 2), y: array([3], 2, 1, 0) }],
  "step with a slope": [one((x) => tf.step(x, 0.25)), { x: NaNs }],
  "isNaN": [one((x) => tf.cast(tf.isNaN(x), "float32")), { x: NaNs }],
  "where hides NaN": [one((x) => tf.where(tf.isNaN(x), tf.zerosLike(x), tf.mul(x, 2))), { x: NaNs }],
  "NaN through add, mul and minimum": [one((x) => tf.minimum(tf.mul(tf.add(x, 1), 2), 3)), { x: NaNs }],
  "sum with NaN": [one((x) => tf.sum(x)), { x: NaNs }],
  "sign": [one(tf.sign), { x: array([3], -2, 0, 5) }],
  "floor, ceil, round": [
    one((x) => tf.addN([tf.floor(x), tf.ceil(x), tf.round(x)])),
    { x: array([6], -1.5, -0.5, 0.5, 1.5, 2.5, 0.2) },
  ],
  "floorDiv and mod": [two((x, y) => tf.add(tf.floorDiv(x, y), tf.mul(tf.mod(x, y), 10))), {
    x: array([4], 5, -5, 5, -5),
    y: array([4], 3, 3, -3, -3),
  }],
  "comparisons": [
    two((x, y) =>
      tf.addN(
        [tf.greater, tf.greaterEqual, tf.less, tf.lessEqual, tf.equal, tf.notEqual].map((compare, i) =>
          tf.mul(tf.cast(compare(x, y), "float32"), 2 ** i)
        ),
      )
    ),
    ties,
  ],
  "logic": [
    two((x, y) => {
      const [a, b] = [tf.greater(x, 0), tf.greater(y, 1)];
      const parts = [tf.logicalAnd(a, b), tf.logicalOr(a, b), tf.logicalNot(a), tf.logicalXor(a, b)];
      return tf.stack(parts.map((part) => tf.cast(part, "float32")));
    }),
    ties,
  ],
  "all and any": [one((x) => tf.stack([tf.all(tf.cast(x, "bool")), tf.any(tf.cast(x, "bool"))])), {
    x: array([3], 0, 1, 2),
  }],
  "argMax and argMin": [
    one((x) => tf.cast(tf.stack([tf.argMax(x, 1), tf.argMin(x, 1)]), "float32")),
    { x: array([2, 3], 3, 1, 3, 0, 0, 2) },
  ],
  "oneHot": [one((x) => tf.oneHot(tf.cast(x, "int32"), 4, 2, -1)), { x: array([3], 0, 3, 1) }],
  "integers": [
    one((x) => tf.add(tf.div(tf.cast(x, "int32"), tf.scalar(2, "int32")), tf.sum(tf.cast(x, "int32")))),
    { x: array([4], -3, -2.5, 2.9, 7) },
  ],
  "fill, ones, zeros, linspace": [
    one((x) =>
      tf.addN([x, tf.fill([4], 2.5), tf.ones([4]), tf.zeros([4]), tf.linspace(0, 1, 4), tf.onesLike(x)])
    ),
    { x: array([4], 1, 2, 3, 4) },
  ],
  "prod": [one((x) => stopGradient(tf.prod(x, 1))), { x: array([2, 2], 1, 2, 3, 4) }],
  "an unused input": [({ x }) => tf.square(x!), { x: array([2], 1, 2), unused: array([2, 2], 1, 2, 3, 4) }],
  "a scalar weight": [one((x) => tf.exp(tf.neg(x))), { x: array([], 0.5) }],
};

for (const [name, [f, inputs]] of Object.entries(odd)) {
  Deno.test(`${name}: as tfjs-cpu`, async () => {
    assertClose(await compiled(withGradients(f), inputs), await eager(withGradients(f), inputs), 2e-6);
  });
}
