/** The mean of a Gaussian policy on chunks, `rl/chunk_brief.ts`, in physical units and opened in the engine. */
import { clipByValue, reshape, slice, type Tensor } from "@tensorflow/tfjs-core";
import { compile, type Program } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import type { Tensors } from "../ndarray.ts";
import { reluMlp } from "../nn/mlp.ts";
import type { ChunkPolicy } from "./chunk_policy.ts";
import { denormalized, normalized, type PolicyNormalization } from "./policy.ts";

/** Name of the network that gives mean and log-deviation. */
const NETWORK = "brief/policy";

/**
 * The program for `batch` rows: "features" [B, F] → "actions" [B, H, A] in [-1, 1], weights and units baked in.
 *
 * @throws {RangeError} when the weights do not fit the units
 */
export function exportGaussian(
  weights: Tensors,
  { features: units, actions }: PolicyNormalization,
  batch: number,
): Program {
  const { features, horizon, action } = gaussianSizes(weights, { features: units, actions });
  return compile((inputs) => {
    const constants = Object.fromEntries(Object.entries(weights).map(([name, x]) => [name, constant(x)]));
    const both: Tensor = reluMlp(constants, NETWORK, normalized(inputs.features!, units));
    const mean = reshape(slice(both, [0, 0], [batch, horizon * action]), [batch, horizon, action]);
    return { actions: clipByValue(denormalized(mean, actions), -1, 1) };
  }, { features: [batch, features] });
}

/** The widths of a policy, read off its weights and units. */
export function gaussianSizes(weights: Tensors, { features, actions }: PolicyNormalization) {
  const output = weights[`${NETWORK}/out/bias`]?.data.length ?? 0;
  const input = weights[`${NETWORK}/0/kernel`]?.shape[0] ?? 0;
  const horizon = output / 2 / actions.center.length;
  if (!Number.isInteger(horizon) || horizon < 1 || input !== features.center.length) {
    throw new RangeError(
      `Cannot read the sizes of a Gaussian policy with ${input} inputs and ${output} outputs: for ` +
        `${features.center.length} features and actions of ${actions.center.length} they must be as many, and an even ` +
        "multiple of the action",
    );
  }
  return { features: features.center.length, horizon, action: actions.center.length };
}

/** Opens the policy's mean for `batch` rows; it takes no noise. */
export async function openGaussian(
  weights: Tensors,
  normalization: PolicyNormalization,
  { batch, execute, threads }: {
    readonly batch: number;
    readonly execute: number;
    readonly threads: number;
  },
): Promise<ChunkPolicy> {
  const { features, horizon } = gaussianSizes(weights, normalization);
  if (!Number.isInteger(execute) || execute < 1 || execute > horizon) {
    throw new RangeError(`Cannot execute ${execute} actions of a chunk: it must be 1 ... ${horizon}`);
  }
  const session = await Session.create(exportGaussian(weights, normalization, batch), { threads });
  return {
    batch,
    sizes: { features },
    horizon,
    execute,
    drawNoise: () => {},
    sample: async (observed) => (await session.run({ features: observed })).actions!,
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
