/** Success of QC-FQL's one-step policy on held-out initial states. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as fql from "../rl/qc_fql.ts";
import { evaluateChunks, inputs, outputs } from "./chunk_evaluation.ts";
import { protocol } from "./evaluation_table.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({ ...protocol, learner: fql.hyperparameters });

/** Runs the one-step policy from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  await evaluateChunks(context, fql, 1);
}
