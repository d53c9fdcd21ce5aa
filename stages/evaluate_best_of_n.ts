/** Success of the best of N on held-out initial states, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { acting, inputs, openBestOfN } from "./best_of_n_policy.ts";
import { evaluateActor, outputs } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({ ...protocol, ...acting });

/** Runs the best of N from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, seed, parameters: { tasks, execute, lanes, candidates, scoring } } = context;
  await using best = await openBestOfN(input, { tasks, execute, lanes, candidates, scoring, seed });
  await evaluateActor(context, best.actor, await openWorld(context.parameters.world));
}
