/** Success of a flow policy under one guidance on training states: what the guidance is chosen by. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { openGuided } from "./guided_base.ts";
import { outputs, scoreActor, scored } from "./training_score.ts";
import { world } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy and its units. */
export const inputs = { weights: "weights", normalization: "normalization" } as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  world,
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
  ...scored,
  guidance: z.number().min(0).describe("s: 0 is the unconditional branch, 1 the conditional one"),
});

/** Runs every state once. */
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
  await scoreActor(context, actor, { guidance });
}
