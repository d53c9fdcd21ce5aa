/**
 * Multilayer perceptrons as functions of named weights.
 *
 * Layer i of network "actor" holds "actor/i/kernel" [in, out] and "actor/i/bias" [out], with layer normalisation also
 * "actor/i/gain" and "actor/i/shift" [out]; the last, linear layer is "actor/out". An ensemble of E networks is one
 * stack: kernels [E, in, out], vectors [E, out]. One product over the stack is faster than E products.
 */
import { add, expandDims, matMul, mul, relu, sigmoid, tanh, type Tensor, tile } from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { layerNorm } from "../engine/normalize.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";
import { entry } from "./weights.ts";

/** Widths of a network, input first. */
export interface MlpSizes {
  /** Numbers in. */
  readonly input: number;
  /** Units of each hidden layer. */
  readonly hidden: readonly number[];
  /** Numbers out. */
  readonly output: number;
}

/** What a network has besides its widths. */
export interface MlpForm {
  /** Gives each hidden layer a gain (ones) and a shift (zeros). */
  readonly layerNorm: boolean;
  /** Stacks this many independently drawn networks; left out: one network without a leading axis. */
  readonly ensemble?: number;
  /** Factor on the last kernel: small to start near zero output, 0 to start at it. Default 1. */
  readonly outputScale?: number;
}

/**
 * Draws the weights of network `name`: kernels N(0, 1/in) ("LeCun normal", the default of Flax' dense layer and of the
 * runs in which the sizes here were tried), biases and shifts 0, gains 1.
 */
export function initializeMlp(stream: Stream, name: string, sizes: MlpSizes, form: MlpForm): Tensors {
  const stack = form.ensemble === undefined ? [] : [form.ensemble];
  const weights: Tensors = {};
  const dense = (layer: string, input: number, output: number, scale: number) => {
    const kernel = ndarray([...stack, input, output]);
    stream.fillNormal(kernel.data);
    const deviation = scale / Math.sqrt(input);
    for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! *= deviation;
    weights[`${layer}/kernel`] = kernel;
    weights[`${layer}/bias`] = ndarray([...stack, output]);
  };
  let input = sizes.input;
  for (const [i, width] of sizes.hidden.entries()) {
    const layer = `${name}/${i}`;
    dense(layer, input, width, 1);
    if (form.layerNorm) {
      weights[`${layer}/gain`] = ndarray([...stack, width]);
      weights[`${layer}/gain`]!.data.fill(1);
      weights[`${layer}/shift`] = ndarray([...stack, width]);
    }
    input = width;
  }
  dense(`${name}/out`, input, sizes.output, form.outputScale ?? 1);
  return weights;
}

/**
 * Hidden layers tanh(layerNorm(x W + b)), then a linear one; a layer without a gain is not normalised. x [B, in] →
 * [B, out]; for an ensemble every member sees the same x: [B, in] → [E, B, out].
 */
export function tanhMlp(weights: Weights, name: string, x: Tensor): Tensor {
  return network(weights, name, x, (layer, h) => {
    const gain = weights[`${layer}/gain`];
    return tanh(gain ? layerNorm(h, gain, entry(weights, `${layer}/shift`)) : h);
  });
}

/** As `tanhMlp` with max(0, h) for tanh. */
export function reluMlp(weights: Weights, name: string, x: Tensor): Tensor {
  return network(weights, name, x, (layer, h) => {
    const gain = weights[`${layer}/gain`];
    return relu(gain ? layerNorm(h, gain, entry(weights, `${layer}/shift`)) : h);
  });
}

/** Networks by the name of their activation, for methods that leave the choice open. */
export const mlps = { relu: reluMlp, tanh: tanhMlp } as const;

/** Hidden layers SiLU(x W + b) with SiLU(h) = h sigmoid(h), then a linear one. x [B, in] → [B, out]. */
export function siluMlp(weights: Weights, name: string, x: Tensor): Tensor {
  return network(weights, name, x, (_layer, h) => mul(h, sigmoid(h)));
}

function network(
  weights: Weights,
  name: string,
  x: Tensor,
  activation: (layer: string, h: Tensor) => Tensor,
): Tensor {
  const { rank, shape: [members] } = entry(weights, `${name}/out/kernel`);
  // The gradient of a broadcast batch product is not to be had from tfjs, so the input is tiled.
  let h: Tensor = rank === 3 ? tile(expandDims(x, 0), [members!, 1, 1]) : x;
  for (let i = 0; `${name}/${i}/kernel` in weights; i++) {
    h = activation(`${name}/${i}`, dense(weights, `${name}/${i}`, h));
  }
  return dense(weights, `${name}/out`, h);
}

function dense(weights: Weights, layer: string, x: Tensor): Tensor {
  const bias = entry(weights, `${layer}/bias`);
  return add(matMul(x, entry(weights, `${layer}/kernel`)), x.rank === 3 ? expandDims(bias, 1) : bias);
}
