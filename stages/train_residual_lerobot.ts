/** PLD, stage 1, on a LeRobot policy: `train_residual.ts` where the base sees pictures and the residual states. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { lerobotInputs, openLerobotBase } from "./lerobot_actor.ts";
import { lerobotActor } from "./lerobot_settings.ts";
import * as training from "./train_residual.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base, its successes, and the pretrained learner state. */
export const inputs = { ...lerobotInputs, offline: "episodes", critic: "weights" } as const;
/** The learner state that is kept, the scale of its states, and the learning curve. */
export const outputs = training.outputs;

const { world: _, ...rest } = training.parameters.shape;

/** What the stage is told. */
export const parameters = z.strictObject({ lerobot: lerobotActor, ...rest });

/** Trains the specialist and keeps the state of its best evaluation. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, ...told } = context.parameters, { lanes } = told.online;
  await training.trainOn(
    { ...context, parameters: { world: lerobot.world, ...told } },
    () => openLerobotBase(context, { lerobot, execute: told.execute, lanes }),
  );
}
