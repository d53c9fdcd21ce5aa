/**
 * Offline chunk-level RL, step 3: flow matching on executed chunks, each weighted by min(exp(β A), cap), from the given
 * policy; or, with successes alone and β = 0, the control that clones them.
 */
import { z } from "zod";
import { encodeNormalizations, normalize } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable, numbers } from "../data/table.ts";
import { compileUpdate } from "../engine/program.ts";
import type { Artifact, StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { acting } from "../nn/parameter_groups.ts";
import { drawTimes } from "../policies/flow.ts";
import { exportPolicy, sizesOf } from "../policies/policy.ts";
import * as awr from "../rl/awr.ts";
import { updateShapes } from "../rl/weighted_flow.ts";
import { drawRows, mixture, readEpisodes } from "./chunk_data.ts";
import { readPolicy } from "./chunked_base.ts";
import { executedWindows } from "./executed_windows.ts";
import { gather, learn } from "./update_loop.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/**
 * The policy and its units, rollouts, demonstrations, and the advantages of both (`weigh_chunks.ts`), or none where all
 * chunks count the same.
 */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
  advantages: "metrics[]",
} as const;
/** Weights that act, the same units, both as an ONNX program for one row, and the losses. */
export const outputs = {
  weights: "weights",
  normalization: "normalization",
  policy: "policy",
  losses: "metrics",
} as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  keep: z.enum(["all", "successes"]).describe("which rollouts are learned from"),
  demonstrationShare: z.number().min(0).max(1).describe("share of each minibatch from demonstrations"),
  learner: awr.hyperparameters,
});

/** Trains from the given weights; the policy's units stay. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, parameters: { tasks, keep, demonstrationShare, learner: h } } = context;
  const { weights, normalization } = await readPolicy(input.weights, input.normalization);
  const sizes = sizesOf(weights, normalization);
  const rolled = await readEpisodes(input.episodes);
  const episodes = [...rolled, ...await readEpisodes(input.demonstrations)];
  const even = episodes.map((episode) => ({ ...episode, tags: { ...episode.tags, advantage: 0 } }));
  const cut = executedWindows(even, { order: tasks, horizon: sizes.horizon, stride: 1 });
  const scored = await advantagesOf(input.advantages, cut.weight.shape[0]!);
  const kept = episodes.flatMap(({ length, success }) =>
    Array<boolean>(length).fill(keep === "all" || success)
  );
  const rows = Int32Array.from(kept.keys()).filter((row) => kept[row] && scored.valid[row]);
  const boundary = rolled.reduce((sum, { length }) => sum + length, 0);
  const from = mixture(rows, boundary, demonstrationShare);
  const features = normalize(normalization.features, cut.features);
  const chunks = normalize(normalization.actions, cut.chunks);
  const initial = awr.initialize(weights, h);
  const { state, metrics } = await learn(context, {
    program: compileUpdate(awr.update(h), updateShapes(initial, sizes, h)),
    initial,
    steps: h.steps,
    batches(calls, _, { rows: draws, noise }) {
      const rows = drawRows(draws, from, calls, h.batch);
      const actions = gather(chunks, rows, calls);
      return {
        features: gather(features, rows, calls),
        actions,
        weight: gather(cut.weight, rows, calls),
        advantage: gather(ndarray([scored.advantage.length], scored.advantage), rows, calls),
        noise: ndarray(actions.shape, noise.fillNormal(new Float32Array(actions.data.length))),
        time: ndarray([calls, h.batch], drawTimes(noise, new Float32Array(calls * h.batch))),
      };
    },
  });
  const trained = acting(state);
  await context.output.weights.write(encodeSafetensors(trained));
  await context.output.normalization.write(encodeNormalizations({ ...normalization }));
  await context.output.policy.write(exportPolicy(trained, normalization, 1).onnx);
  await context.output.losses.write(metrics);
}

/** Advantages of `count` chunks and which of them are valid; without a table all are valid and none stands out. */
async function advantagesOf(
  artifacts: readonly Artifact[],
  count: number,
): Promise<{ advantage: Float32Array; valid: ArrayLike<number> }> {
  if (artifacts.length === 0) {
    return { advantage: new Float32Array(count), valid: new Uint8Array(count).fill(1) };
  }
  const tables = await Promise.all(artifacts.map(async ({ path }) => decodeTable(await Deno.readFile(path))));
  const column = (name: string) => tables.flatMap((table) => [...numbers(table, name)]);
  const advantage = Float32Array.from(column("advantage"));
  if (advantage.length !== count) {
    throw new Error(
      `Cannot weigh ${count} chunks by ${advantage.length} advantages: they must be of the same episodes`,
    );
  }
  return { advantage, valid: column("valid") };
}
