/** RIPT, collecting: groups of rollouts of a Laplace policy that draws from its distribution. */
import type { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as collecting from "./collecting_groups.ts";
import { openLaplace } from "./laplace_lanes.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units, and the ledgers of earlier rounds. */
export const inputs = { weights: "weights", normalization: "normalization", history: "metrics[]" } as const;
/** Episodes of the groups kept, with their advantages, and the ledger of all that were tried. */
export const outputs = collecting.outputs;
/** What the stage is told. */
export const parameters = collecting.parameters;

/** Runs the policy until enough groups are kept. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes } = context.parameters;
  const { weights, normalization } = context.input;
  const policy = { weights, normalization, lanes, execute, tasks, seed: context.seed };
  await using actor = await openLaplace({ ...policy, act: "sample" });
  await collecting.collectGroups(context, actor);
}
