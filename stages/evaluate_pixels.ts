/** Success of specialists that see the world's cameras, by the protocol of `evaluate.ts`. */
import type { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { evaluate, inputs, outputs, parameters as plain } from "./evaluate.ts";
import { openSeeing, vision } from "./pixel_specialist.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told; the world's settings name the cameras. */
export const parameters = plain.extend({ vision });

/** Runs the base with its specialists from every held-out state. */
export function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  return evaluate(context, openSeeing(context.parameters.world, context.parameters.vision));
}
