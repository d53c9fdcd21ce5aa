/** DSRL-SAC from pictures: learns the initial noise of a frozen base on one task from the world's cameras. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as dsrl from "../rl/dsrl_pixels.ts";
import { camerasOf } from "./cameras.ts";
import { outputs } from "./online_outputs.ts";
import { pixelMethod } from "./pixel_method.ts";
import { PROPRIOCEPTION } from "./pixel_steering.ts";
import { inputs, parameters as shared, trainSteering } from "./steering_training.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told; the world's settings name the cameras. */
export const parameters = z.strictObject({ ...shared, learner: dsrl.hyperparameters });

/** Trains the noise actor and keeps the state of its best evaluation. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { learner: h, world } = context.parameters;
  const cameras = camerasOf(world);
  await trainSteering(context, {
    hyperparameters: h,
    method: ({ noise }) => pixelMethod({ cameras, numbers: PROPRIOCEPTION, noise, hyperparameters: h }),
  });
}
