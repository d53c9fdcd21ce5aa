/** What every stage of online learning is told of its budget, and how it writes what it learned. */
import { z } from "zod";
import { encodeNormalizations, type Normalization } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import type { Artifact, StageContext } from "../lab/stage.ts";
import type { Tensors } from "../ndarray.ts";
import { curveColumns, type CurveRow } from "./learning_curve.ts";

/** The learner state that is kept, the scale of its observations, and the learning curve. */
export const outputs = { weights: "weights", scale: "normalization", curve: "metrics" } as const;

/** The budget of an online phase; a stage adds how it learns. */
export const budget = {
  steps: z.int().min(1).default(250_000).describe("environment steps"),
  lanes: z.int().min(1).max(256).default(8).describe("episodes stepped together"),
  iterations: z.int().min(1).default(20).describe("update iterations in one call of the learner"),
  evaluateEvery: z.int().min(1).default(5000).describe("environment steps between two evaluations"),
  evaluationEpisodes: z.int().min(1).default(50).describe("episodes of one evaluation, on training states"),
  selectFrom: z.number().min(0).max(1).default(0.7)
    .describe("share of the steps after which the best evaluation is kept"),
  pipelined: z.boolean().default(false)
    .describe(
      "environments step while the learner works, with the weights from before its call, and evaluations run beside both",
    ),
} as const;

/** Writes the three outputs. */
export async function writeTrained(
  { output }: Pick<StageContext<Record<string, never>, typeof outputs, unknown>, "output">,
  { weights, scale, curve }: { weights: Tensors; scale: Normalization; curve: readonly CurveRow[] },
): Promise<void> {
  await output.weights.write(encodeSafetensors(weights));
  await output.scale.write(encodeNormalizations({ state: scale }));
  await output.curve.write(encodeTable(curveColumns(curve)));
}

/**
 * The scale that a trained learner's states were normalised with.
 *
 * @throws {Error} when the file names no "state"
 */
export function scaleOf(
  scales: Readonly<Record<string, Normalization>>,
  { digest }: Artifact,
): Normalization {
  const { state } = scales;
  if (!state) throw new Error(`Cannot read scale ${digest}: its normalization must name "state"`);
  return state;
}
