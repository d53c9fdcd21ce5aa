/**
 * What the shape of w alone does to a base, before anything is learned: its success with w ~ N(0, I) in the chosen
 * shape, and with w = 0, the policy that an untrained deterministic actor is. A base may fail under repeated noise that
 * it never saw.
 */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { outputs } from "./evaluation.ts";
import { evaluateSteered, steered } from "./steered_evaluation.ts";
import { unsteered } from "./steered_base.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base and its units. */
export const inputs = { weights: "weights", normalization: "normalization" } as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  ...steered,
  w: z.enum(["drawn", "zero"]).describe("w ~ N(0, I), or w = 0"),
});

/** Runs the base from every held-out state; drawn in full shape it is the base's own evaluation, bit for bit. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  await evaluateSteered(context, () => Promise.resolve(unsteered(context.parameters.w)));
}
