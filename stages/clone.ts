/** A base policy by cloning: a flow-matching chunk policy fitted to a few demonstrations. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as flow from "../policies/flow.ts";
import { stream } from "../random.ts";
import { readDemonstrations } from "./cloning.ts";
import { trainFlow } from "./flow_training.ts";
import { outputs, writePolicy } from "./trained_policy.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Episodes to clone, of one or several tasks. */
export const inputs = { demonstrations: "episodes[]" } as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the one-hot input"),
  horizon: z.int().min(1).max(64).describe("actions of a chunk"),
  flow: flow.hyperparameters,
});

/** Fits the units, then the policy. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, horizon, flow: h } = context.parameters;
  const demonstrations = await readDemonstrations(context.input.demonstrations, { tasks, horizon });
  const { windows, normalization, sizes } = demonstrations;
  const trained = await trainFlow(context, {
    initial: flow.initialize(stream(context.seed, "flow", "initialize"), sizes, h),
    sets: [{ windows, share: 1 }],
    normalization,
    hyperparameters: h,
    sizes,
  });
  await writePolicy(context.output, { ...trained, normalization });
}
