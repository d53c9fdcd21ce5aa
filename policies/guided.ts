/**
 * A flow policy with a condition o, 1 "positive" or 0 "any", and classifier-free guidance at sampling (Frans et al.
 * 2025, "Diffusion guidance is a controllable policy improvement operator", CFGRL):
 *
 *   v = v(x_t, t, 0) + s (v(x_t, t, 1) - v(x_t, t, 0)),
 *
 * so that s = 0 is the unconditional branch and s = 1 the conditional one. The condition is an embedding
 * "velocity/condition" [2, W], row o, added to the first hidden layer; a new one is zero in both rows, so that a policy
 * which gets one stays what it was, whatever s.
 */
import { add, concat, matMul, mul, split, sub, type Tensor, tile } from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { constant } from "../engine/trace.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { entry } from "../nn/weights.ts";
import { velocity } from "./flow.ts";
import type { Sampler } from "./policy.ts";

/** Name of the embedding among a policy's weights. */
export const CONDITION = "velocity/condition";

/** `weights` with a zero embedding, unless they have one. */
export function withCondition(weights: Tensors): Tensors {
  if (CONDITION in weights) return weights;
  const width = weights["velocity/0/bias"]!.shape[0]!;
  return { ...weights, [CONDITION]: ndarray([2, width]) };
}

/** Rows of a one-hot condition: `positive` rows of o = 1, then `any` rows of o = 0. [positive + any, 2]. */
function conditions(positive: number, any: number): Tensor {
  const rows = ndarray([positive + any, 2]);
  for (let i = 0; i < positive + any; i++) rows.data[2 * i + (i < positive ? 1 : 0)] = 1;
  return constant(rows);
}

function conditioned(weights: Weights, condition: Tensor): Weights {
  const bias = add(entry(weights, "velocity/0/bias"), matMul(condition, entry(weights, CONDITION)));
  return { ...weights, "velocity/0/bias": bias }; // [W] → [rows, W]
}

/** v(x_t, t, o, 1): as `velocity` of flow.ts. */
export function positiveVelocity(weights: Weights, features: Tensor, chunk: Tensor, time: Tensor): Tensor {
  return velocity(conditioned(weights, conditions(chunk.shape[0]!, 0)), features, chunk, time);
}

/** v(x_t, t, o, 0). */
export function anyVelocity(weights: Weights, features: Tensor, chunk: Tensor, time: Tensor): Tensor {
  return velocity(conditioned(weights, conditions(0, chunk.shape[0]!)), features, chunk, time);
}

/** Both branches of B rows, in one batch of 2 B: `positive` and `any`, each as `velocity` gives it. */
export function bothVelocities(
  weights: Weights,
  features: Tensor,
  chunk: Tensor,
  time: Tensor,
): { positive: Tensor; any: Tensor } {
  const rows = chunk.shape[0]!;
  const twice = (x: Tensor) => concat([x, x], 0);
  const v = velocity(
    conditioned(weights, conditions(rows, rows)),
    twice(features),
    twice(chunk),
    twice(time),
  );
  const [positive, any] = split(v, 2, 0);
  return { positive: positive!, any: any! };
}

/**
 * Draws chunks under guidance s, as `sample` of flow.ts draws them without. One branch alone is computed for s = 0 and
 * s = 1, both in one batch otherwise.
 *
 * @throws {RangeError} when `guidance` is negative or not a number
 */
export function guided(guidance: number): Sampler {
  if (!(guidance >= 0 && guidance < Infinity)) {
    throw new RangeError(`Cannot guide with s = ${guidance}: it must be a number of at least 0`);
  }
  const v = guidance === 0 ? anyVelocity : guidance === 1 ? positiveVelocity : (
    ...inputs: Parameters<typeof velocity>
  ) => {
    const { positive, any } = bothVelocities(...inputs);
    return add(any, mul(guidance, sub(positive, any)));
  };
  return (weights, features, noise, steps = 10) => {
    const batch = noise.shape[0]!;
    let chunk = noise;
    for (let i = 0; i < steps; i++) {
      const time = tile(constant({ shape: [1], data: Float32Array.of(1 - i / steps) }), [batch]);
      chunk = sub(chunk, mul(1 / steps, v(weights, features, chunk, time)));
    }
    return chunk;
  };
}
