/** Success of a LeRobot policy with specialists on held-out initial states: `evaluate.ts` where the base sees pictures. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as evaluating from "./evaluate.ts";
import { lerobotInputs, openLerobotBase } from "./lerobot_actor.ts";
import { lerobotActor } from "./lerobot_settings.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base; specialists and the scales of their states, one for each task, or none. */
export const inputs = { ...lerobotInputs, residuals: "weights[]", scales: "normalization[]" } as const;
/** The success table, and the episodes without observations. */
export const outputs = evaluating.outputs;

const { world: _, ...rest } = evaluating.parameters.shape;

/** What the stage is told. */
export const parameters = z.strictObject({ lerobot: lerobotActor, ...rest });

/** Runs the policy from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, ...told } = context.parameters;
  await evaluating.evaluateOn(
    { ...context, parameters: { world: lerobot.world, ...told } },
    () => openLerobotBase(context, context.parameters),
  );
}
