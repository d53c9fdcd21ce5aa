/** Success of QC on held-out initial states: the best of N chunks of its own flow; with N = 1 its flow alone. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as qc from "../rl/qc.ts";
import { evaluateChunks, inputs, outputs } from "./chunk_evaluation.ts";
import { protocol } from "./evaluation_table.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  ...protocol,
  learner: qc.hyperparameters,
  candidates: z.int().min(1).max(1024).describe("N, chunks to choose from; 1 is the flow itself"),
});

/** Runs QC from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  await evaluateChunks(context, qc, context.parameters.candidates);
}
