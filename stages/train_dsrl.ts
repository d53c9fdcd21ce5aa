/** DSRL-SAC: learns the initial noise of a frozen base on one task, from its queries alone. */
import { z } from "zod";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import * as dsrl from "../rl/dsrl.ts";
import { outputs } from "./online_outputs.ts";
import { NoiseActor } from "./steered_base.ts";
import { inputs, parameters as shared, trainSteering } from "./steering_training.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({ ...shared, learner: dsrl.hyperparameters });

/** Trains the noise actor and keeps the state of its best evaluation. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { learner: h } = context.parameters;
  await trainSteering(context, {
    hyperparameters: h,
    method: (sizes, scale) => {
      const shapes = dsrl.updateShapes(sizes, h);
      return {
        program: compileUpdate(dsrl.update(h), shapes),
        batch: shapes.batch,
        columns: {
          state: [sizes.state],
          w: [sizes.noise],
          reward: [],
          terminated: [],
          truncated: [],
          discount: [],
          nextState: [sizes.state],
        },
        criticUpdates: 1,
        initialize: (draws) => dsrl.initialize(draws, sizes, h),
        draw: (batches, noise) => {
          noise.fillNormal(batches.nextNoise!.data);
          noise.fillNormal(batches.noise!.data);
        },
        open: (weights, lanes, session) =>
          NoiseActor.open({ weights, scale, lanes, width: sizes.noise, form: h, sampled: true, session }),
      };
    },
  });
}
