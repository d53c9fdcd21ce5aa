/** Flow matching on windows of rollouts that carry advantages: what `cfg_flow.ts` and `awr.ts` share. */
import {
  add,
  div,
  mean,
  mul,
  reshape,
  squaredDifference,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { Shapes } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { shapesOf } from "../nn/weights.ts";
import type { Sizes } from "../policies/flow.ts";

/** Windows of rollouts. */
export interface Minibatch {
  /** Normalised features o, [B, F]. */
  features: Tensor;
  /** Normalised chunks a, [B, H, A]. */
  actions: Tensor;
  /** m, [B, H]: 1 for steps to learn, 0 for padding; no row is all 0. */
  weight: Tensor;
  /** A, [B]: the advantage of the episode. */
  advantage: Tensor;
  /** ε ~ N(0, I), [B, H, A]: one for both branches. */
  noise: Tensor;
  /** t in (0, 1], [B], see `drawTimes` of flow.ts: one for both branches. */
  time: Tensor;
}

/** x_t = t ε + (1 - t) a and u = ε - a, [B, H, A] each. */
export function interpolate({ actions, noise, time }: Pick<Minibatch, "actions" | "noise" | "time">) {
  const t = reshape(time, [-1, 1, 1]);
  return { chunk: add(mul(t, noise), mul(sub(1, t), actions)), target: sub(noise, actions) };
}

/** |v - u|² of each sample: mean over the steps of weight 1 and over dimensions, [B]. */
export function sampleError(v: Tensor, target: Tensor, weight: Tensor): Tensor {
  const error = mean(squaredDifference(v, target), 2); // [B, H, A] → [B, H]
  return div(sum(mul(weight, error), 1), sum(weight, 1));
}

/** Shapes of one step of such an update for a learner state. */
export function updateShapes(
  state: Tensors,
  { features, horizon, action }: Sizes,
  { batch }: { readonly batch: number },
): { state: Shapes; batch: Shapes } {
  const chunk = [batch, horizon, action];
  return {
    state: shapesOf(state),
    batch: {
      features: [batch, features],
      actions: chunk,
      weight: [batch, horizon],
      advantage: [batch],
      noise: chunk,
      time: [batch],
    },
  };
}
