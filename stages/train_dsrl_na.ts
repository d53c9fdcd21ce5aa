/** DSRL-NA: as `train_dsrl.ts`, with a critic on executed chunks that is distilled into one on noise. */
import { z } from "zod";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { denoise } from "../policies/policy.ts";
import * as na from "../rl/dsrl_na.ts";
import { chunkNoise, executedPart } from "../rl/steering_noise.ts";
import { outputs } from "./online_outputs.ts";
import { NoiseActor } from "./steered_base.ts";
import { inputs, parameters as shared, trainSteering } from "./steering_training.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({ ...shared, learner: na.hyperparameters });

/** Trains the noise actor and keeps the state of its best evaluation. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { learner: h, execute } = context.parameters;
  await trainSteering(context, {
    hyperparameters: h,
    method: (sizes, scale, { weights, normalization }) => {
      const shapes = na.updateShapes(sizes, h);
      const base: na.Base = (features, w) => {
        const noise = chunkNoise(w, sizes.rows, sizes.horizon);
        return executedPart(denoise(weights, normalization, features, noise), execute);
      };
      return {
        program: compileUpdate(na.update(h, base), shapes),
        batch: shapes.batch,
        columns: {
          state: [sizes.state],
          features: [sizes.features],
          action: [sizes.action],
          reward: [],
          terminated: [],
          truncated: [],
          discount: [],
          nextState: [sizes.state],
          nextFeatures: [sizes.features],
        },
        criticUpdates: h.updates,
        initialize: (draws) => na.initialize(draws, sizes, h),
        draw: (batches, noise) => {
          for (const name of ["nextNoise", "noise", "w"]) noise.fillNormal(batches[name]!.data);
        },
        open: (weights, lanes, session) =>
          NoiseActor.open({ weights, scale, lanes, width: sizes.noise, form: h, sampled: true, session }),
      };
    },
  });
}
