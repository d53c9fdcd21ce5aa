/** A stage for the lab's tests that reads a list and uses a constant of another module. */
import { z } from "zod";
import type { StageContext } from "../../lab/stage.ts";
import { DIGITS } from "./rounding.ts";

export const entry = import.meta.url;
export const inputs = { paths: "document[]" } as const;
export const outputs = { summary: "document", table: "document" } as const;
export const parameters = z.strictObject({
  fail: z.enum(["no", "throw", "exit", "wait", "memory"]).default("no"),
});

/** Writes the ends of all paths; fails in the way it is told to. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { fail } = context.parameters;
  if (fail === "throw") throw new Error("Cannot summarize: told to fail");
  if (fail === "exit") Deno.exit(7);
  if (fail === "wait") await new Promise(() => {});
  const filler: number[][] = [];
  while (fail === "memory") filler.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5));
  const ends: number[] = [];
  for (const { path } of context.input.paths) ends.push(JSON.parse(await Deno.readTextFile(path)).at(-1));
  const text = JSON.stringify(ends.map((end) => end.toFixed(DIGITS)));
  context.log(`summarized ${ends.length} paths`);
  await context.output.summary.write(new TextEncoder().encode(text));
  await context.output.table.write(new TextEncoder().encode(JSON.stringify({ ends })));
}
