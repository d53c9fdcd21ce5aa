/** Fine-tuning of a flow policy on windows of rollouts with advantages: what CFG-Flow and AWR have in common. */
import { z } from "zod";
import { normalize } from "../data/normalization.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { acting } from "../nn/parameter_groups.ts";
import { drawTimes } from "../policies/flow.ts";
import { exportPolicy, type Sampler, sizesOf } from "../policies/policy.ts";
import type { Stream } from "../random.ts";
import type { update } from "../rl/cfg_flow.ts";
import { updateShapes } from "../rl/weighted_flow.ts";
import { readPolicy, type StoredPolicy } from "./chunked_base.ts";
import type { EpisodeContext } from "./episode_batch.ts";
import { type ExecutedWindows, executedWindows } from "./executed_windows.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { outputs, type PolicyOutput, writePolicy } from "./trained_policy.ts";
import { gather, learn } from "./update_loop.ts";

/** The policy and its units, rollouts with advantages, and demonstrations, which count as positive (A = 1). */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
} as const;
export { outputs };

/** What these stages are told besides their learner's hyperparameters. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  stride: z.int().min(1).max(64).describe(
    "steps between the starts of two windows; the executed horizon gives each executed chunk once",
  ),
});

/** How a learner with weights and advantages goes from one state to the next. */
interface Learner {
  /** The learner's state for given weights. */
  readonly initialize: (weights: Tensors) => Tensors;
  /** One gradient step. */
  readonly update: ReturnType<typeof update>;
  /** How the exported policy draws chunks. */
  readonly sampler?: Sampler;
  readonly steps: number;
  readonly batch: number;
}

/** Trains on every window alike and writes the outputs; the policy's units stay. */
export async function trainOnRollouts(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
  learner: Learner,
): Promise<void> {
  const { input, parameters: { tasks, stride } } = context;
  const policy = await readPolicy(input.weights, input.normalization);
  const shown = (await readEpisodes(input.demonstrations))
    .map((episode) => ({ ...episode, tags: { ...episode.tags, advantage: 1 } }));
  const cut = executedWindows([...await readEpisodes(input.episodes), ...shown], {
    order: tasks,
    horizon: sizesOf(policy.weights, policy.normalization).horizon,
    stride,
  });
  const count = cut.features.shape[0]!;
  await trainOnWindows(context, policy, cut, {
    ...learner,
    draw: (rows, calls) => Int32Array.from({ length: calls * learner.batch }, () => rows.integer(count)),
  });
}

/** Trains `policy` on windows that `draw` chooses by number, and writes the outputs; its units stay. */
export async function trainOnWindows(
  context: EpisodeContext & {
    readonly seed: number;
    readonly threads: number;
    readonly output: PolicyOutput;
  },
  { weights, normalization }: StoredPolicy,
  windows: ExecutedWindows,
  { initialize, update: step, sampler, steps, batch, draw }: Learner & {
    /** Numbers of the windows of `calls` minibatches, [calls · batch]. */
    readonly draw: (rows: Stream, calls: number) => Int32Array;
  },
): Promise<void> {
  const sizes = sizesOf(weights, normalization), initial = initialize(weights);
  const features = normalize(normalization.features, windows.features);
  const chunks = normalize(normalization.actions, windows.chunks);
  const { state, metrics } = await learn(context, {
    program: compileUpdate(step, updateShapes(initial, sizes, { batch })),
    initial,
    steps,
    batches(calls, _, { rows, noise }) {
      const indices = draw(rows, calls);
      const actions = gather(chunks, indices, calls);
      return {
        features: gather(features, indices, calls),
        actions,
        weight: gather(windows.weight, indices, calls),
        advantage: gather(windows.advantage, indices, calls),
        noise: ndarray(actions.shape, noise.fillNormal(new Float32Array(actions.data.length))),
        time: ndarray([calls, batch], drawTimes(noise, new Float32Array(calls * batch))),
      };
    },
  });
  const trained = acting(state), { onnx } = exportPolicy(trained, normalization, 1, sampler);
  await writePolicy(context.output, { weights: trained, normalization, onnx, losses: metrics });
}
