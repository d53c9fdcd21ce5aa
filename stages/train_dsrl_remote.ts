/**
 * DSRL-SAC on a policy that a server holds behind openpi's protocol: learns the initial noise of its chunks on one task, from
 * pictures scaled to a small square and from proprioception, as the public code does for pi0.
 */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as dsrl from "../rl/dsrl_pixels.ts";
import { outputs } from "./online_outputs.ts";
import { pixelMethod } from "./pixel_method.ts";
import { openRemote, remote } from "./remote_episodes.ts";
import { online, steer } from "./steering_training.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Nothing: the policy is elsewhere. */
export const inputs = {} as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  ...remote,
  task: z.string().describe("the task"),
  first: z.int().min(0).describe("first training initial state; evaluations start 1,000,000 later"),
  learner: dsrl.hyperparameters,
  online,
});

/** Trains the noise actor and keeps the state of its best evaluation. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { learner: h, task, first, online: budget, ...settings } = context.parameters;
  const { lanes } = budget;
  await using opened = await openRemote(settings, {
    lanes,
    seed: context.seed,
    note: (line) => context.log(line),
  });
  const { cameras, shown, world, proprioception: numbers } = opened;
  await steer(context, {
    task,
    first,
    online: budget,
    hyperparameters: h,
    simulated: world,
    // States are not scaled, as in the public code.
    scale: {
      kind: "z-score",
      n: 0,
      center: Array<number>(numbers).fill(0),
      scale: Array<number>(numbers).fill(1),
      clip: null,
    },
    base: (steering) => opened.policy(steering),
    method: pixelMethod({ cameras, numbers, noise: settings.noise[1], hyperparameters: h, shown }),
  });
}
