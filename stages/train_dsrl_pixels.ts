/** DSRL-SAC from pictures: learns the initial noise of a frozen base on one task from the world's cameras. */
import { z } from "zod";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { drawCrops, drawJitters } from "../nn/augmentation.ts";
import * as dsrl from "../rl/dsrl_pixels.ts";
import { camerasOf } from "./cameras.ts";
import { outputs } from "./online_outputs.ts";
import { PixelNoiseActor, PROPRIOCEPTION } from "./pixel_steering.ts";
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
    method: ({ noise }) => {
      const sizes = { ...cameras, state: PROPRIOCEPTION, noise };
      const shapes = dsrl.updateShapes(sizes, h);
      const pixels = [cameras.height, cameras.width, cameras.channels];
      return {
        program: compileUpdate(dsrl.update(h), shapes),
        batch: shapes.batch,
        columns: {
          pixels,
          state: [sizes.state],
          w: [noise],
          reward: [],
          terminated: [],
          truncated: [],
          discount: [],
          nextPixels: pixels,
          nextState: [sizes.state],
        },
        bytes: ["pixels", "nextPixels"],
        criticUpdates: 1,
        initialize: (draws) => dsrl.initialize(draws, sizes, h),
        draw: (batches, random) => {
          random.fillNormal(batches.nextNoise!.data);
          random.fillNormal(batches.noise!.data);
          drawCrops(random, batches.crops!.data);
          drawCrops(random, batches.nextCrops!.data);
          if (!h.colorJitter) return;
          drawJitters(random, batches.jitters!.data);
          drawJitters(random, batches.nextJitters!.data);
        },
        open: (weights, lanes) =>
          PixelNoiseActor.open({ weights, cameras, lanes, noise, form: h, sampled: true }),
      };
    },
  });
}
