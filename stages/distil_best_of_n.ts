/**
 * Offline chunk-level RL, another step 3: a policy proposes N chunks at states of its rollouts, critics choose one, and the
 * policy is trained on the chosen ones by plain flow matching. What the best of N does with critics at every query, the
 * policy then does alone.
 */
import { z } from "zod";
import type { Episode } from "../data/episode.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { features } from "../policies/features.ts";
import * as flow from "../policies/flow.ts";
import { FlowPolicy, sizesOf } from "../policies/policy.ts";
import { stream } from "../random.ts";
import { argmax, scoring } from "../rl/best_of_n.ts";
import { ChunkScorer } from "./best_of_n_lanes.ts";
import { chunkStates, readScale } from "./chunk_data.ts";
import { readPolicy } from "./chunked_base.ts";
import { trainFlow } from "./flow_training.ts";
import { observationAt, subjectOf } from "./recording.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { outputs, writePolicy } from "./trained_policy.ts";
import type { Windows } from "./windows.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units, critics and the units of their states, and episodes whose states are asked about. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  critic: "weights",
  scale: "normalization",
  episodes: "episodes[]",
} as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  candidates: z.int().min(1).max(1024).describe("N, proposals at a state; 1 clones the policy itself"),
  stride: z.int().min(1).max(64).describe("steps from one state that is asked about to the next"),
  scoring,
  flow: flow.hyperparameters,
});

const ACTION = 7;
/** Proposals in one call of the policy, about. */
const ROWS = 1024;

/** Proposes, chooses and trains from the given weights; the policy's units stay. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, parameters: { flow: h } } = context;
  const { weights, normalization } = await readPolicy(input.weights, input.normalization);
  const chosen = await chooseChunks(context, await readEpisodes(input.episodes));
  const trained = await trainFlow(context, {
    initial: flow.fineTune(weights),
    sets: [{ windows: chosen, share: 1 }],
    normalization,
    hyperparameters: h,
    sizes: sizesOf(weights, normalization),
  });
  await writePolicy(context.output, { ...trained, normalization });
}

/** The best of N proposals at every `stride`-th state; the noise of a state depends on its number alone. */
async function chooseChunks(
  { input, parameters: { tasks, candidates, stride, scoring }, seed, threads, progress }: Parameters<
    typeof run
  >[0],
  episodes: readonly Episode[],
): Promise<Windows> {
  const stored = await readPolicy(input.weights, input.normalization);
  const lanes = Math.max(1, Math.floor(ROWS / candidates)), batch = lanes * candidates;
  await using policy = await FlowPolicy.open(stored.weights, stored.normalization, {
    batch,
    execute: 1,
    threads,
  });
  const scale = await readScale(input.scale);
  const { tensors } = decodeSafetensors(await Deno.readFile(input.critic.path));
  await using scorer = await ChunkScorer.open({ weights: tensors, scale, lanes, candidates, how: scoring });
  const { sizes: { features: width }, horizon } = policy, wide = horizon * ACTION;
  const scored = scorer.horizon * ACTION, state = scale.center.length;
  const states = chunkStates(episodes, tasks, scale);
  const asked: { readonly row: number; readonly seen: Float32Array }[] = [];
  let row = 0;
  for (const episode of episodes) {
    for (let t = 0; t < episode.length; t += stride) {
      asked.push({
        row: row + t,
        seen: features(observationAt(episode, t), subjectOf(episode), tasks),
      });
    }
    row += episode.length;
  }
  const out = { features: ndarray([asked.length, width]), chunks: ndarray([asked.length, horizon, ACTION]) };
  for (let from = 0; from < asked.length; from += lanes) {
    const part = asked.slice(from, from + lanes);
    const observed = ndarray([batch, width]), noise = ndarray([batch, horizon, ACTION]);
    const seen = ndarray([lanes, state]), heads = ndarray([batch, scored]);
    part.forEach(({ row, seen: own }, lane) => {
      for (let i = 0; i < candidates; i++) observed.data.set(own, (lane * candidates + i) * width);
      const draws = noise.data.subarray(lane * candidates * wide, (lane + 1) * candidates * wide);
      stream(seed, "propose", row).fillNormal(draws);
      seen.data.set(states.data.subarray(row * state, (row + 1) * state), lane * state);
    });
    const { data } = await policy.sample(observed, noise);
    for (let i = 0; i < batch; i++) heads.data.set(data.subarray(i * wide, i * wide + scored), i * scored);
    const { data: scores } = await scorer.scores(seen, heads);
    part.forEach(({ seen: own }, lane) => {
      const best = lane * candidates +
        argmax(scores.subarray(lane * candidates, (lane + 1) * candidates));
      out.features.data.set(own, (from + lane) * width);
      out.chunks.data.set(data.subarray(best * wide, (best + 1) * wide), (from + lane) * wide);
    });
    progress({ done: Math.min(asked.length, from + lanes), total: asked.length, unit: "states" });
  }
  return out;
}
