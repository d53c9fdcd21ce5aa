/** CFG-Flow, training: a flow policy with a condition "positive" on rollouts with leave-one-out advantages. */
import type { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { guided } from "../policies/guided.ts";
import * as cfgFlow from "../rl/cfg_flow.ts";
import * as training from "./rollout_flow_training.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units, rollouts with advantages, and demonstrations, which count as positive. */
export const inputs = training.inputs;
/** Weights with a condition, the same units, the conditional branch as an ONNX program for one row, and the losses. */
export const outputs = training.outputs;

/** What the stage is told. */
export const parameters = training.parameters.extend({ learner: cfgFlow.hyperparameters });

/** Trains from the given weights; those without a condition get a zero one. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { learner } = context.parameters;
  await training.trainOnRollouts(context, {
    initialize: (weights) => cfgFlow.initialize(weights, learner),
    update: cfgFlow.update(learner),
    sampler: guided(1),
    ...learner,
  });
}
