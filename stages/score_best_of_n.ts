/** Success of the best of N on training states: a point of a learning curve. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { acting, inputs, openBestOfN } from "./best_of_n_policy.ts";
import { outputs, scoreActor, scored } from "./training_score.ts";
import { world } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  world,
  ...acting,
  ...scored,
});

/** Runs every state once. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, seed, parameters: { tasks, execute, lanes, candidates, scoring } } = context;
  await using best = await openBestOfN(input, { tasks, execute, lanes, candidates, scoring, seed });
  await scoreActor(context, best.actor, { candidates });
}
