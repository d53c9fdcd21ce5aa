/**
 * The residual policy: what PLD adds to a frozen base, ā = clip(a_b + ξ z, -1, 1) with z = tanh u,
 * u ~ N(μ, σ²)(s, a_b); its scale ξ over time; the program that acts.
 */
import { add, clipByValue, concat, mul, split, type Tensor } from "@tensorflow/tfjs-core";
import type { Weights } from "../engine/differentiate.ts";
import { compile, type Program } from "../engine/program.ts";
import type { Tensors } from "../ndarray.ts";
import { initializeMlp, tanhMlp } from "../nn/mlp.ts";
import { tanhNormal } from "../nn/tanh_normal.ts";
import { shapesOf } from "../nn/weights.ts";
import { Stream } from "../random.ts";

/** Widths of the observation the learner sees and of the action (7: position, rotation, gripper). */
export interface Sizes {
  /** Numbers of an observation, S. */
  readonly state: number;
  /** Numbers of an action, A. */
  readonly action: number;
}

/** Hidden layers of the actor. */
export interface Network {
  /** Number of hidden layers. */
  readonly layers: number;
  /** Units of each. */
  readonly width: number;
  /** Normalises each hidden layer, with gain and shift. */
  readonly layerNorm: boolean;
}

/**
 * Draws the actor "actor/…": input s and a_b, output μ and log σ. Its last kernel is 0.01 of the usual size, so that
 * the first deterministic residual is nearly 0 and a specialist starts as its base.
 */
export function initializeActor(stream: Stream, sizes: Sizes, network: Network): Tensors {
  const hidden = Array<number>(network.layers).fill(network.width);
  const widths = { input: sizes.state + sizes.action, hidden, output: 2 * sizes.action };
  return initializeMlp(stream, "actor", widths, { layerNorm: network.layerNorm, outputScale: 0.01 });
}

/** ā [B, A], z [B, A] and log π(z | s, a_b) [B]; xi [A] is the residual scale of each action dimension. */
export function act(actor: Weights, state: Tensor, base: Tensor, noise: Tensor, xi: Tensor) {
  const [mu, logSigma] = split(tanhMlp(actor, "actor", concat([state, base], 1)), 2, 1);
  const { z, logDensity } = tanhNormal(mu!, logSigma!, noise);
  return { action: clipByValue(add(base, mul(xi, z)), -1, 1), z, logDensity };
}

/** How far the residual may reach, and when. */
export interface Scale {
  /** Scale at the end of the schedule. */
  readonly xi: number;
  /** Scale of the gripper dimension at the end; null: xi. */
  readonly xiGripper: number | null;
  /** Where the scale starts, and after how many online steps it ends. */
  readonly xiSchedule: { readonly from: number; readonly steps: number };
}

/**
 * Residual scale per action dimension after `onlineSteps` environment steps of the online phase: linear from
 * min(from, xi) to xi over `xiSchedule.steps`. The last dimension, the gripper, follows in proportion to its own scale.
 */
export function residualScale(h: Scale, onlineSteps: number, dimensions = 7): Float32Array {
  const { from, steps } = h.xiSchedule;
  const progress = steps === 0 ? 1 : Math.min(1, onlineSteps / steps);
  const start = Math.min(from, h.xi);
  const xi = start + (h.xi - start) * progress;
  const scale = new Float32Array(dimensions).fill(xi);
  if (h.xiGripper !== null) scale[dimensions - 1] = h.xi === 0 ? h.xiGripper : h.xiGripper * (xi / h.xi);
  return scale;
}

/**
 * The acting program for `batch` rows: the actor's weights by name, "state" [B, S], "base" [B, A], "noise" [B, A],
 * "xi" [A] → "action" [B, A], executed. Zero noise gives the deterministic action of z = tanh μ.
 */
export function actorProgram(batch: number, sizes: Sizes, network: Network): Program {
  const rows = { state: [batch, sizes.state], base: [batch, sizes.action], noise: [batch, sizes.action] };
  const actor = shapesOf(initializeActor(new Stream([0, 0]), sizes, network));
  return compile(({ state, base, noise, xi, ...weights }) => {
    const { action } = act(weights, state!, base!, noise!, xi!);
    return { action };
  }, { ...actor, ...rows, xi: [sizes.action] });
}
