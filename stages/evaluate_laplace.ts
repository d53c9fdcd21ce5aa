/** Success of a Laplace policy on held-out initial states: every task, every fixed state, under several noise streams. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { evaluateActor, outputs } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { openLaplace } from "./laplace_lanes.ts";
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
  act: z.enum(["mean", "sample"]).describe("mean, as RIPT evaluates, or draws, as it collects"),
});

/** Runs every planned episode. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes, act } = context.parameters;
  await using actor = await openLaplace({ ...context.input, act, lanes, execute, tasks, seed: context.seed });
  await evaluateActor(context, actor, await openWorld(context.parameters.world));
}
