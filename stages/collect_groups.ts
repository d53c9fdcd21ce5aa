/** RIPT, collecting: groups of rollouts of a flow policy from shared initial states, with leave-one-out advantages. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as collecting from "./collecting_groups.ts";
import { openGuided, readGuidance } from "./guided_base.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units, the guidance chosen for it (or none), and the ledgers of earlier rounds. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  choice: "document[]",
  history: "metrics[]",
} as const;
/** Episodes of the groups kept, with their advantages, and the ledger of all that were tried. */
export const outputs = collecting.outputs;

/** What the stage is told. */
export const parameters = collecting.parameters.extend({
  guidance: z.number().min(0).describe("guidance s of a policy with a condition, where none was chosen"),
});

/** Runs the policy until enough groups are kept. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes, guidance } = context.parameters;
  const { choice, ...policy } = context.input;
  const chosen = await readGuidance(choice, guidance);
  await using actor = await openGuided({
    ...policy,
    guidance: chosen,
    lanes,
    execute,
    tasks,
    seed: context.seed,
  });
  await collecting.collectGroups(context, actor);
}
