/** The tables of several blocks as one: what an evaluation that is stored in blocks comes to. */
import { z } from "zod";
import { decodeTable, encodeTable, numbers, strings } from "../data/table.ts";
import type { StageContext } from "../lab/stage.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The blocks, in the order in which their rows are wanted. */
export const inputs = { blocks: "evaluation[]" } as const;
/** One table: task, index of the initial state, number of the noise stream, success (0 or 1), length. */
export const outputs = { evaluation: "evaluation" } as const;
/** Nothing to tell. */
export const parameters = z.strictObject({});

/** Joins the tables. */
export async function run(context: StageContext<typeof inputs, typeof outputs, unknown>): Promise<void> {
  const tables = await Promise.all(
    context.input.blocks.map(async ({ path }) => decodeTable(await Deno.readFile(path))),
  );
  const column = (name: string) => tables.flatMap((table) => [...numbers(table, name)]);
  const table = encodeTable({
    task: tables.flatMap((table) => strings(table, "task")),
    index: Int32Array.from(column("index")),
    noise: Int32Array.from(column("noise")),
    success: Uint8Array.from(column("success")),
    length: Int32Array.from(column("length")),
  });
  await context.output.evaluation.write(table);
}
