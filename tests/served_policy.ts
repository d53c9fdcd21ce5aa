/** A random flow policy in the form that a store holds it, for tests of serving. */
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { acting, hyperparameters, initialize } from "../policies/flow.ts";
import { CONDITION } from "../policies/guided.ts";
import { stream } from "../random.ts";
import { digestOf } from "./stage_context.ts";

/** Actions of its chunks. */
export const HORIZON = 4;

/** Its units, for `width` numbers. */
export const units = (width: number) => ({
  kind: "z-score" as const,
  n: 2,
  center: Array<number>(width).fill(0.1),
  scale: Array<number>(width).fill(0.5),
  clip: null,
});

/** Its weights, for `features` numbers; with a condition where told. */
export function randomWeights(features: number, condition = false): Tensors {
  const h = hyperparameters.parse({ width: 16, layers: 1 });
  const weights: Tensors = acting(
    initialize(stream(0, "weights"), { features, horizon: HORIZON, action: 7 }, h),
  );
  // A fresh policy's velocity is zero.
  stream(0, "output").fillNormal(weights["velocity/out/kernel"]!.data);
  if (condition) {
    weights[CONDITION] = ndarray([2, 16]);
    stream(0, "condition").fillNormal(weights[CONDITION]!.data);
  }
  return weights;
}

/** What `openServed` takes. */
export function storedPolicy(features: number, tasks: readonly string[], condition = false) {
  const bytes = encodeSafetensors(randomWeights(features, condition));
  const normalization = encodeNormalizations({ features: units(features), actions: units(7) });
  return {
    weights: { digest: digestOf(bytes), bytes },
    normalization: { digest: digestOf(normalization), bytes: normalization },
    tasks,
    seed: 5,
  };
}
