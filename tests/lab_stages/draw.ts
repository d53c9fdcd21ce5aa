/** A short stage for the lab's tests: seeded numbers. */
import { z } from "zod";
import { stream } from "../../random.ts";
import type { StageContext } from "../../lab/stage.ts";

export const entry = import.meta.url;
export const inputs = {} as const;
export const outputs = { numbers: "document" } as const;
export const parameters = z.strictObject({ count: z.int().min(1), scale: z.number().default(1) });

/** Writes `count` uniform numbers times `scale`. */
export async function run(
  { output, parameters: p, seed }: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const draws = stream(seed, "draw");
  const numbers = Array.from({ length: p.count }, () => p.scale * draws.uniform());
  await output.numbers.write(new TextEncoder().encode(JSON.stringify(numbers)));
}
