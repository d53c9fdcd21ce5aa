/** PLD, stage 2, on a LeRobot policy: `collect_hybrid.ts` where the base sees pictures and the specialist states. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as collecting from "./collect_hybrid.ts";
import { lerobotInputs, openLerobotBase } from "./lerobot_actor.ts";
import { lerobotActor } from "./lerobot_settings.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base; the specialist and the scale of its states. */
export const inputs = { ...lerobotInputs, residual: "weights", scale: "normalization" } as const;
/** The successful hybrid episodes. */
export const outputs = collecting.outputs;

const { world: _, ...rest } = collecting.parameters.shape;

/** What the stage is told. */
export const parameters = z.strictObject({ lerobot: lerobotActor, ...rest });

/** Runs hybrid episodes until enough of them succeeded. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, ...told } = context.parameters;
  await collecting.collectOn(
    { ...context, parameters: { world: lerobot.world, ...told } },
    () => openLerobotBase(context, context.parameters),
  );
}
