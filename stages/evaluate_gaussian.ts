/** Success of a Gaussian policy's mean on held-out initial states, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { openGaussian } from "../policies/gaussian_policy.ts";
import { ChunkedBase, readPolicy } from "./chunked_base.ts";
import { evaluateActor, outputs } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { ACTING_THREADS } from "./rollout.ts";
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
});

/** Runs every planned episode. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes } = context.parameters;
  const { weights, normalization } = await readPolicy(context.input.weights, context.input.normalization);
  const policy = await openGaussian(weights, normalization, {
    batch: lanes,
    execute,
    threads: ACTING_THREADS,
  });
  await using actor = new ChunkedBase(policy, context.seed, tasks);
  await evaluateActor(context, actor, await openWorld(context.parameters.world));
}
