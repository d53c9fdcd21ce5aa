/** Success of a flow policy under guidance on held-out initial states: every task, every fixed state, several noises. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { evaluateActor, outputs } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { openGuided } from "./guided_base.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units. */
export const inputs = { weights: "weights", normalization: "normalization" } as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  ...protocol,
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  guidance: z.number().min(0).describe("s: 0 is the unconditional branch, 1 the conditional one"),
});

/** Runs every planned episode. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes, guidance } = context.parameters;
  await using actor = await openGuided({
    ...context.input,
    guidance,
    lanes,
    execute,
    tasks,
    seed: context.seed,
  });
  await evaluateActor(context, actor, await openWorld(context.parameters.world));
}
