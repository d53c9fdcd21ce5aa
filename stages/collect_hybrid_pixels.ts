/** PLD from pictures, stage 2: hybrid rollouts as in `collect_hybrid.ts`, of a specialist that sees the world's cameras. */
import type { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { collect, inputs, outputs, parameters as plain } from "./collect_hybrid.ts";
import { openSeeing, vision } from "./pixel_specialist.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told; the world's settings name the cameras. */
export const parameters = plain.extend({ vision });

/** Runs hybrid episodes until enough of them succeeded. */
export function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  return collect(context, openSeeing(context.parameters.world, context.parameters.vision));
}
