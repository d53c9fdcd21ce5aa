/** A stage for the lab's tests: coins that fall on the right side with a rate that another stage learned. */
import { z } from "zod";
import type { StageContext } from "../../lab/stage.ts";
import * as flip from "./flip.ts";

export const entry = import.meta.url;
export const inputs = { rate: "document" } as const;
export const outputs = flip.outputs;
export const parameters = z.strictObject({ coins: z.int().min(1) });

/** Flips each coin once. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const rate: number = JSON.parse(await Deno.readTextFile(context.input.rate.path));
  await flip.run({ ...context, input: {}, parameters: { ...context.parameters, rate } });
}
