/** QC-FQL, offline: see chunk_offline.ts. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import * as fql from "../rl/qc_fql.ts";
import { inputs, outputs, parameters as shared, trainOffline } from "./chunk_offline.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
export { inputs, outputs };

/** What the stage is told. */
export const parameters = z.strictObject({ ...shared, learner: fql.hyperparameters });

/** Trains from fresh weights. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  await trainOffline(context, fql);
}
