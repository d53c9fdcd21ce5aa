/**
 * Offline chunk-level RL, step 3: flow matching on executed chunks, each weighted by min(exp(β A), cap), from the given
 * policy; or, with successes alone and β = 0, the control that clones them.
 */
import { z } from "zod";
import { decodeTable, numbers } from "../data/table.ts";
import type { Artifact, StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { sizesOf } from "../policies/policy.ts";
import * as awr from "../rl/awr.ts";
import { drawRows, mixture } from "./chunk_data.ts";
import { readPolicy } from "./chunked_base.ts";
import { executedWindows } from "./executed_windows.ts";
import { trainOnWindows } from "./rollout_flow_training.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { outputs } from "./trained_policy.ts";

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
export { outputs };

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
  const policy = await readPolicy(input.weights, input.normalization);
  const { horizon } = sizesOf(policy.weights, policy.normalization);
  const rolled = await readEpisodes(input.episodes);
  const episodes = [...rolled, ...await readEpisodes(input.demonstrations)];
  const even = episodes.map((episode) => ({ ...episode, tags: { ...episode.tags, advantage: 0 } }));
  const cut = executedWindows(even, { order: tasks, horizon, stride: 1 });
  const scored = await advantagesOf(input.advantages, cut.weight.shape[0]!);
  const kept = episodes.flatMap(({ length, success }) =>
    Array<boolean>(length).fill(keep === "all" || success)
  );
  const rows = Int32Array.from(kept.keys()).filter((row) => kept[row] && scored.valid[row]);
  const boundary = rolled.reduce((sum, { length }) => sum + length, 0);
  const from = mixture(rows, boundary, demonstrationShare);
  const advantage = ndarray([scored.advantage.length], scored.advantage);
  await trainOnWindows(context, policy, { ...cut, advantage }, {
    initialize: (weights) => awr.initialize(weights, h),
    update: awr.update(h),
    steps: h.steps,
    batch: h.batch,
    draw: (draws, calls) => drawRows(draws, from, calls, h.batch),
  });
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
