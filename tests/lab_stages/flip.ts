/** A stage for the lab's tests that measures something: coins that fall on the right side with a given rate. */
import { z } from "zod";
import { encodeTable } from "../../data/table.ts";
import type { StageContext } from "../../lab/stage.ts";
import { stream } from "../../random.ts";

export const entry = import.meta.url;
export const inputs = {} as const;
export const outputs = { evaluation: "evaluation" } as const;
export const parameters = z.strictObject({ rate: z.number().min(0).max(1), coins: z.int().min(1) });

/** Flips each coin once and writes the table of an evaluation. */
export async function run(
  { output, parameters: p, seed }: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const draws = stream(seed, "flip");
  const coins = Array.from({ length: p.coins }, (_, i) => i);
  await output.evaluation.write(encodeTable({
    task: coins.map(() => "flip"),
    index: Int32Array.from(coins),
    noise: Int32Array.from(coins, () => 0),
    success: Uint8Array.from(coins, () => Number(draws.uniform() < p.rate)),
    length: Int32Array.from(coins, () => 1),
  }));
}
