/**
 * A transformer over short sequences with the time of a flow as its condition: multi-head self-attention and a two-layer
 * network in each block, both normalised, shifted, scaled and gated by the condition (adaLN-Zero: Peebles & Xie 2023,
 * arXiv:2212.09748, "DiT"). A block whose modulation is zero passes its input on.
 *
 * Block i of network "velocity" holds "velocity/blocks/i/modulation/kernel" [W, 6 W] and "/bias", ".../query/kernel",
 * "/key", "/value" [heads, W, W / heads], ".../attention/kernel" [W, W] and "/bias", ".../up/kernel" [W, 4 W] and "/bias",
 * ".../down/kernel" [4 W, W] and "/bias".
 */
import {
  add,
  concat,
  expandDims,
  matMul,
  mul,
  ones,
  reshape,
  sigmoid,
  softmax,
  split,
  square,
  tanh,
  type Tensor,
  transpose,
  zeros,
} from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { layerNorm } from "../engine/normalize.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";
import { entry } from "./weights.ts";

/** Extents of a transformer. */
export interface TransformerSizes {
  /** Numbers W of a token; a multiple of `heads`. */
  readonly width: number;
  /** Heads of the attention. */
  readonly heads: number;
  /** Blocks. */
  readonly blocks: number;
}

/** How much wider the network of a block is inside. */
const EXPANSION = 4;

/** A kernel [..., in, out] of N(0, 1 / in), times `scale`. */
export function drawKernel(stream: Stream, shape: readonly number[], scale = 1): NDArray {
  const kernel = ndarray(shape);
  if (scale === 0) return kernel;
  stream.fillNormal(kernel.data);
  const deviation = scale / Math.sqrt(shape.at(-2)!);
  for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! *= deviation;
  return kernel;
}

/**
 * Draws the blocks of network `name`: modulations zero, so that every block passes its input on; biases zero.
 *
 * @throws {RangeError} when the heads do not divide the width
 */
export function initializeBlocks(
  stream: Stream,
  name: string,
  { width, heads, blocks }: TransformerSizes,
): Tensors {
  if (width % heads !== 0) {
    throw new RangeError(`Cannot share ${width} numbers among ${heads} heads: it must be a multiple of them`);
  }
  const weights: Tensors = {};
  for (let i = 0; i < blocks; i++) {
    const block = `${name}/blocks/${i}`;
    const dense = (layer: string, input: number, output: number, scale = 1) => {
      weights[`${block}/${layer}/kernel`] = drawKernel(stream, [input, output], scale);
      weights[`${block}/${layer}/bias`] = ndarray([output]);
    };
    for (const part of ["query", "key", "value"]) {
      weights[`${block}/${part}/kernel`] = drawKernel(stream, [heads, width, width / heads]);
    }
    dense("attention", width, width);
    dense("up", width, EXPANSION * width);
    dense("down", EXPANSION * width, width);
    dense("modulation", width, 6 * width, 0);
  }
  return weights;
}

/** x sigmoid(x). */
export function silu(x: Tensor): Tensor {
  return mul(x, sigmoid(x));
}

/** The tanh form of x Φ(x), as PyTorch's `gelu(approximate="tanh")`. */
export function gelu(x: Tensor): Tensor {
  const inner = mul(Math.sqrt(2 / Math.PI), mul(x, add(1, mul(0.044715, square(x)))));
  return mul(mul(0.5, x), add(1, tanh(inner)));
}

/** x W + b over the last axis. */
export function linear(weights: Weights, layer: string, x: Tensor): Tensor {
  const kernel = entry(weights, `${layer}/kernel`), [input, output] = kernel.shape as [number, number];
  const flat = matMul(reshape(x, [-1, input]), kernel);
  const moved = add(flat, entry(weights, `${layer}/bias`));
  return reshape(moved, [...x.shape.slice(0, -1), output]);
}

/** Layer normalisation without gain and bias, then (1 + scale) and shift: [B, W] each, the same for all tokens [B, T, W]. */
export function modulated(x: Tensor, shift: Tensor, scale: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  const normalized = layerNorm(x, ones([width]), zeros([width]));
  return add(mul(normalized, expandDims(add(1, scale), 1)), expandDims(shift, 1));
}

/** softmax(Q Kᵀ / √d) V for every head, heads side by side and mixed: tokens [B, T, W] → [B, T, W]. */
export function attention(weights: Weights, block: string, x: Tensor): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  const [heads, , each] = entry(weights, `${block}/query/kernel`).shape as [number, number, number];
  const flat = reshape(x, [batch * tokens, width]);
  // One product for all three and all heads: [W, 3 heads d].
  const kernels = ["query", "key", "value"].map((part) => entry(weights, `${block}/${part}/kernel`));
  const joined = reshape(transpose(concat(kernels, 0), [1, 0, 2]), [width, 3 * width]);
  const projected = reshape(matMul(flat, joined), [batch, tokens, 3, heads, each]);
  const apart = transpose(projected, [2, 0, 3, 1, 4]); // [3, B, heads, T, d]
  const [query, key, value] = split(reshape(apart, [3, batch * heads, tokens, each]), 3, 0)
    .map((part) => reshape(part, [batch * heads, tokens, each])) as [Tensor, Tensor, Tensor];
  const scores = softmax(mul(matMul(query, key, false, true), 1 / Math.sqrt(each)));
  const mixed = transpose(reshape(matMul(scores, value), [batch, heads, tokens, each]), [0, 2, 1, 3]);
  return linear(weights, `${block}/attention`, reshape(mixed, [batch, tokens, width]));
}

/** All blocks of network `name`: tokens [B, T, W] under the condition [B, W] → [B, T, W]. */
export function transformer(weights: Weights, name: string, tokens: Tensor, condition: Tensor): Tensor {
  const signal = silu(condition);
  let x = tokens;
  for (let i = 0; `${name}/blocks/${i}/query/kernel` in weights; i++) {
    const block = `${name}/blocks/${i}`;
    const [shiftA, scaleA, gateA, shiftM, scaleM, gateM] = split(
      linear(weights, `${block}/modulation`, signal),
      6,
      1,
    ) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    x = add(x, mul(expandDims(gateA, 1), attention(weights, block, modulated(x, shiftA, scaleA))));
    const inside = gelu(linear(weights, `${block}/up`, modulated(x, shiftM, scaleM)));
    x = add(x, mul(expandDims(gateM, 1), linear(weights, `${block}/down`, inside)));
  }
  return x;
}
