/** Success of a stored policy on a block of held-out states of one task; with a residual on top of it where one is given. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { openBase } from "./chunked_base.ts";
import { outputs } from "./evaluation.ts";
import { block, runBlock } from "./evaluation_block.ts";
import { openSpecialists, ResidualActor } from "./residual_actor.ts";
import { openWorld, world } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base and its units; a specialist of the task and the scale of its states, or none. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  residuals: "weights[]",
  scales: "normalization[]",
} as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  world,
  ...block,
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
});

/** Runs the block's episodes. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { task, tasks, execute, lanes } = context.parameters;
  const { weights, normalization, residuals, scales } = context.input;
  if (!tasks.includes(task)) {
    throw new Error(`Cannot evaluate task "${task}": the policy was trained on ${tasks.join(", ")}`);
  }
  await using base = await openBase({ ...context, weights, normalization, lanes, execute, tasks });
  await using specialists = await openSpecialists({ residuals, scales, tasks: [task], lanes });
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const actor = new ResidualActor({ base, specialists });
  await runBlock(context, { ...context.parameters, world, pool, size: lanes, actor });
}
