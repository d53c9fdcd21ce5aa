/** Advantage-weighted regression of a flow policy on the rollouts that CFG-Flow learns from: its baseline. */
import type { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as awr from "../rl/awr.ts";
import * as training from "./rollout_flow_training.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units, rollouts with advantages, and demonstrations, which count as positive. */
export const inputs = training.inputs;
/** Weights that act, the same units, both as an ONNX program for one row, and the losses. */
export const outputs = training.outputs;

/** What the stage is told. */
export const parameters = training.parameters.extend({ learner: awr.hyperparameters });

/** Trains from the given weights. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { learner } = context.parameters;
  await training.trainOnRollouts(context, {
    initialize: (weights) => awr.initialize(weights, learner),
    update: awr.update(learner),
    ...learner,
  });
}
