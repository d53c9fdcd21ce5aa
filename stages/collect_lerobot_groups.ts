/**
 * RIPT's groups with a stored LeRobot policy: rollouts of the same initial states, each with its own noise, and their
 * leave-one-out advantages. Episodes hold the simulator's state; pictures for training are rendered by replay.
 */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as collecting from "./collecting_groups.ts";
import { lerobotInputs, openLerobot } from "./lerobot_actor.ts";
import { lerobotActor } from "./lerobot_settings.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy, its tokenizer and statistics, and the ledgers of earlier rounds. */
export const inputs = { ...lerobotInputs, history: "metrics[]" } as const;
/** Episodes of the groups kept, with their advantages, and the ledger of all that were tried. */
export const outputs = collecting.outputs;

const { world: _, ...rest } = collecting.parameters.shape;

/** What the stage is told. */
export const parameters = z.strictObject({ lerobot: lerobotActor, ...rest });

/** Runs groups until enough have successes and failures. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, ...settings } = context.parameters;
  await using opened = await openLerobot(context, context.parameters);
  await collecting.collectGroups(
    { ...context, parameters: { world: lerobot.world, ...settings } },
    opened.actor,
  );
}
