/** Fine-tuning of a flow policy on windows of rollouts with advantages: what CFG-Flow and AWR have in common. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { encodeNormalizations, normalize } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { compileUpdate } from "../engine/program.ts";
import type { Artifact, StageContext } from "../lab/stage.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { acting } from "../nn/parameter_groups.ts";
import { drawTimes } from "../policies/flow.ts";
import { exportPolicy, type Sampler, sizesOf } from "../policies/policy.ts";
import type { update } from "../rl/cfg_flow.ts";
import { updateShapes } from "../rl/weighted_flow.ts";
import { readPolicy } from "./chunked_base.ts";
import { executedWindows } from "./executed_windows.ts";
import { gather, learn } from "./update_loop.ts";

/** The policy and its units, rollouts with advantages, and demonstrations, which count as positive (A = 1). */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
} as const;
/** Weights that act, the same units, both as an ONNX program for one row, and the losses. */
export const outputs = {
  weights: "weights",
  normalization: "normalization",
  policy: "policy",
  losses: "metrics",
} as const;

/** What these stages are told besides their learner's hyperparameters. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  stride: z.int().min(1).max(64).describe(
    "steps between the starts of two windows; the executed horizon gives each executed chunk once",
  ),
});

async function read(artifacts: readonly Artifact[]) {
  const files = await Promise.all(artifacts.map(({ path }) => Deno.readFile(path)));
  return files.flatMap((bytes) => decodeEpisodes(bytes));
}

/** Trains and writes the outputs; the policy's units stay. */
export async function trainOnRollouts(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
  { initialize, update: step, sampler, steps, batch }: {
    /** The learner's state for given weights. */
    readonly initialize: (weights: Tensors) => Tensors;
    /** One gradient step. */
    readonly update: ReturnType<typeof update>;
    /** How the exported policy draws chunks. */
    readonly sampler?: Sampler;
    readonly steps: number;
    readonly batch: number;
  },
): Promise<void> {
  const { input, parameters: { tasks, stride } } = context;
  const { weights, normalization } = await readPolicy(input.weights, input.normalization);
  const sizes = sizesOf(weights, normalization);
  const shown = (await read(input.demonstrations))
    .map((episode) => ({ ...episode, tags: { ...episode.tags, advantage: 1 } }));
  const cut = executedWindows([...await read(input.episodes), ...shown], {
    order: tasks,
    horizon: sizes.horizon,
    stride,
  });
  const features = normalize(normalization.features, cut.features);
  const chunks = normalize(normalization.actions, cut.chunks);
  const initial = initialize(weights);
  const { state, metrics } = await learn(context, {
    program: compileUpdate(step, updateShapes(initial, sizes, { batch })),
    initial,
    steps,
    batches(calls, _, { rows, noise }) {
      const indices = Int32Array.from({ length: calls * batch }, () => rows.integer(features.shape[0]!));
      const actions = gather(chunks, indices, calls);
      return {
        features: gather(features, indices, calls),
        actions,
        weight: gather(cut.weight, indices, calls),
        advantage: gather(cut.advantage, indices, calls),
        noise: ndarray(actions.shape, noise.fillNormal(new Float32Array(actions.data.length))),
        time: ndarray([calls, batch], drawTimes(noise, new Float32Array(calls * batch))),
      };
    },
  });
  const trained = acting(state);
  await context.output.weights.write(encodeSafetensors(trained));
  await context.output.normalization.write(encodeNormalizations({ ...normalization }));
  await context.output.policy.write(exportPolicy(trained, normalization, 1, sampler).onnx);
  await context.output.losses.write(metrics);
}
