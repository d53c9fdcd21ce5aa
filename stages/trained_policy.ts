/** What training a policy leaves behind. */
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import type { Tensors } from "../ndarray.ts";
import type { PolicyNormalization } from "../policies/policy.ts";

/** Weights that act, their units, both as an ONNX program for one row, and the losses. */
export const outputs = {
  weights: "weights",
  normalization: "normalization",
  policy: "policy",
  losses: "metrics",
} as const;

/** Where it goes. */
export type PolicyOutput = StageContext<Record<string, never>, typeof outputs, unknown>["output"];

/** Writes all of it; `losses` is an encoded table. */
export async function writePolicy(
  output: PolicyOutput,
  { weights, normalization: { features, actions }, onnx, losses }: {
    readonly weights: Tensors;
    readonly normalization: PolicyNormalization;
    readonly onnx: Uint8Array;
    readonly losses: Uint8Array;
  },
): Promise<void> {
  await output.weights.write(encodeSafetensors(weights));
  await output.normalization.write(encodeNormalizations({ features, actions }));
  await output.policy.write(onnx);
  await output.losses.write(losses);
}
