/** A stage with a hidden input, for the lab's tests: it never gives the same bytes twice. */
import { z } from "zod";
import type { StageContext } from "../../lab/stage.ts";

export const entry = import.meta.url;
export const inputs = {} as const;
export const outputs = { rolled: "document" } as const;
export const parameters = z.strictObject({});

/** Writes a random word. */
export async function run({ output }: StageContext<typeof inputs, typeof outputs, unknown>): Promise<void> {
  await output.rolled.write(new TextEncoder().encode(JSON.stringify({ word: crypto.randomUUID() })));
}
