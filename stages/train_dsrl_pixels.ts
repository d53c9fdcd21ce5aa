/** DSRL-SAC from pictures: learns the initial noise of a frozen base on one task from the world's cameras. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as dsrl from "../rl/dsrl_pixels.ts";
import { camerasOf } from "./cameras.ts";
import { outputs } from "./online_outputs.ts";
import { pixelMethod } from "./pixel_method.ts";
import { PROPRIOCEPTION } from "./pixel_steering.ts";
import { inputs as plain, parameters as shared, trainSteering } from "./steering_training.ts";
import { trunkOf } from "./trunk.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Those of every steering; the trunk of a ResNet, or none. */
export const inputs = { ...plain, trunk: "weights[]" } as const;
export { outputs };

/** What the stage is told; the world's settings name the cameras. */
export const parameters = z.strictObject({ ...shared, learner: dsrl.hyperparameters });

/** Trains the noise actor and keeps the state of its best evaluation. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { learner: h, world } = context.parameters;
  const cameras = camerasOf(world), trunk = await trunkOf(context.input.trunk, h);
  await trainSteering(context, {
    hyperparameters: h,
    method: ({ noise }) =>
      pixelMethod({ cameras, numbers: PROPRIOCEPTION, noise, hyperparameters: h, trunk }),
  });
}
