/**
 * PLD, stage 3: supervised fine-tuning of the current base on collected episodes, by the flow loss it was cloned with.
 * The same stage on the base's own successes is the self-bootstrapping control.
 */
import { z } from "zod";
import type { Artifact, StageContext } from "../lab/stage.ts";
import * as flow from "../policies/flow.ts";
import { sizesOf } from "../policies/policy.ts";
import { readPolicy } from "./chunked_base.ts";
import { trainFlow } from "./flow_training.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { outputs, writePolicy } from "./trained_policy.ts";
import { windows } from "./windows.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy to fine-tune and its units, the episodes to learn from, and the demonstrations it was cloned from. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
} as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the one-hot input"),
  demonstrationShare: z.number().min(0).max(0.9).describe("share of each batch from the demonstrations"),
  flow: flow.hyperparameters,
});

/** Fine-tunes the policy; its units stay. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, parameters: { tasks, demonstrationShare, flow: h } } = context;
  const { weights: start, normalization } = await readPolicy(input.weights, input.normalization);
  const sizes = sizesOf(start, normalization);
  const cut = async (artifacts: readonly Artifact[]) =>
    windows(await readEpisodes(artifacts), { order: tasks, horizon: sizes.horizon });
  const sets = [
    ...(demonstrationShare > 0
      ? [{ windows: await cut(input.demonstrations), share: demonstrationShare }]
      : []),
    { windows: await cut(input.episodes), share: 1 - demonstrationShare },
  ];
  const trained = await trainFlow(context, {
    initial: flow.fineTune(start),
    sets,
    normalization,
    hyperparameters: h,
    sizes,
  });
  await writePolicy(context.output, { ...trained, normalization });
}
