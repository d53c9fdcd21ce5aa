/** A stage for the lab's tests that learns: a rate that climbs to its end, with the curve of it. */
import { z } from "zod";
import { encodeTable } from "../../data/table.ts";
import type { StageContext } from "../../lab/stage.ts";

export const entry = import.meta.url;
export const inputs = {} as const;
export const outputs = { rate: "document", curve: "metrics" } as const;
export const parameters = z.strictObject({ rate: z.number().min(0).max(1), steps: z.int().min(1) });

/** Spends its steps, and half as many again to look where it stands. */
export async function run(
  { output, parameters: { rate, steps }, seed, spend }: StageContext<
    typeof inputs,
    typeof outputs,
    z.output<typeof parameters>
  >,
): Promise<void> {
  spend({ environmentSteps: 1.5 * steps, gradientSteps: steps });
  await output.rate.write(new TextEncoder().encode(JSON.stringify(rate)));
  await output.curve.write(encodeTable({
    environment_steps: Float64Array.of(0, steps / 2, steps),
    success: Float64Array.of(0.3, rate / 2 + 0.05 * seed, rate),
    episodes: Float64Array.of(10, 10, 10),
  }));
}
