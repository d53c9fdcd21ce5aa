/** QC, online: see chunk_online.ts. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as qc from "../rl/qc.ts";
import { inputs, parameters as shared, trainOnline } from "./chunk_online.ts";
import { outputs } from "./online_outputs.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({ ...shared, learner: qc.hyperparameters });

/** Goes on from the offline phase. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  await trainOnline(context, qc, context.parameters.learner.candidates);
}
