/** Chunk-level offline RL as the framework's description has it: critic, value and Gaussian policy down one loss. */
import { z } from "zod";
import { rewardCodes } from "../data/chunk_transitions.ts";
import { encodeNormalizations, normalize } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { stream } from "../random.ts";
import * as brief from "../rl/chunk_brief.ts";
import { chunkData, drawRows, mixture } from "./chunk_data.ts";
import { readPolicy } from "./chunked_base.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { gather, learn } from "./update_loop.ts";
import { windows } from "./windows.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** A policy, of which only the units are used; rollouts; demonstrations, which may be none. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
} as const;
/** The three networks, the units, and the losses. */
export const outputs = { weights: "weights", normalization: "normalization", losses: "metrics" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  demonstrationShare: z.number().min(0).max(1).describe("share of each minibatch from demonstrations"),
  learner: brief.hyperparameters,
});

/** Trains from fresh weights. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, parameters: { tasks, demonstrationShare, learner: h } } = context;
  const { normalization } = await readPolicy(input.weights, input.normalization);
  const rolled = await readEpisodes(input.episodes);
  const episodes = [...rolled, ...await readEpisodes(input.demonstrations)];
  const states = normalize(
    normalization.features,
    windows(episodes, { order: tasks, horizon: h.horizon }).features,
  );
  const form = { ...rewardCodes["0/1"], horizon: h.horizon, gamma: h.gamma, ends: "padded" } as const;
  const data = chunkData(episodes, { states, form });
  const chunks = normalize(normalization.actions, data.chunks);
  const [count, , action] = chunks.shape as [number, number, number];
  const from = mixture(data.valid, rolled.reduce((n, { length }) => n + length, 0), demonstrationShare);
  const sizes = { features: states.shape[1]!, chunk: h.horizon * action };
  const flat = ndarray([count, sizes.chunk], chunks.data);
  // The reward is a flag: it tells chunks in which the mask falls to 0.
  const reward = ndarray([count], data.mask.data.map((mask) => 1 - mask));
  const { state, metrics } = await learn(context, {
    program: compileUpdate(brief.update(h), brief.updateShapes(sizes, h)),
    initial: brief.initialize(stream(context.seed, "chunk-brief", "initialize"), sizes, h),
    steps: h.epochs * Math.ceil(data.valid.length / h.batch),
    batches(calls, _, draws) {
      const rows = drawRows(draws.rows, from, calls, h.batch);
      const noise = ndarray([calls, h.batch, sizes.chunk]);
      draws.noise.fillNormal(noise.data);
      return {
        features: gather(states, rows, calls),
        chunk: gather(flat, rows, calls),
        reward: gather(reward, rows, calls),
        nextFeatures: gather(states, rows.map((row) => data.next[row]!), calls),
        noise,
      };
    },
  });
  await context.output.weights.write(encodeSafetensors(part(state, "brief")));
  await context.output.normalization.write(encodeNormalizations({ ...normalization }));
  await context.output.losses.write(metrics);
}
