/** Offline chunk-level RL, step 1: critics and a value on chunks, by implicit Q-learning on executed chunks. */
import { z } from "zod";
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { part } from "../nn/weights.ts";
import { stream } from "../random.ts";
import * as iql from "../rl/iql.ts";
import { chunkData, chunkScale, chunkStates, drawRows, mixture, transitionsAt } from "./chunk_data.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { learn } from "./update_loop.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Rollouts with successes and failures, and demonstrations, which may be none. */
export const inputs = { episodes: "episodes[]", demonstrations: "episodes[]" } as const;
/** Critics "critic/…", their averages "target/…" and V "value/…"; the units of states ("state"); the losses. */
export const outputs = { weights: "weights", scale: "normalization", losses: "metrics" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the critics' one-hot input"),
  demonstrationShare: z.number().min(0).max(1).describe("share of each minibatch from demonstrations"),
  learner: iql.hyperparameters,
});

/** Trains from fresh weights. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, parameters: { tasks, demonstrationShare, learner: h } } = context;
  const rolled = await readEpisodes(input.episodes);
  const episodes = [...rolled, ...await readEpisodes(input.demonstrations)];
  const scale = chunkScale(episodes, tasks);
  const data = chunkData(episodes, { states: chunkStates(episodes, tasks, scale), form: h });
  const from = mixture(data.valid, rolled.reduce((n, { length }) => n + length, 0), demonstrationShare);
  context.log(
    `${rolled.filter(({ success }) => success).length} of ${rolled.length} rollouts succeeded; ` +
      `${data.valid.length} of ${data.next.length} chunks are transitions`,
  );
  const [, horizon, action] = data.chunks.shape as [number, number, number];
  const sizes = { state: scale.center.length, chunk: horizon * action };
  const { state, metrics } = await learn(context, {
    program: compileUpdate(iql.update(h), iql.updateShapes(sizes, h)),
    initial: iql.initialize(stream(context.seed, "chunk-critic", "initialize"), sizes, h),
    steps: h.steps,
    batches: (calls, _, { rows }) => transitionsAt(data, drawRows(rows, from, calls, h.batch), calls),
  });
  const kept = { ...part(state, "critic"), ...part(state, "target"), ...part(state, "value") };
  await context.output.weights.write(encodeSafetensors(kept));
  await context.output.scale.write(encodeNormalizations({ state: scale }));
  await context.output.losses.write(metrics);
}
