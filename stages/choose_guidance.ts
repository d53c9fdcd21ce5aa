/** Chooses the guidance with the highest success on training states, the least one among equals. */
import { z } from "zod";
import { decodeTable, encodeTable, numbers } from "../data/table.ts";
import type { StageContext } from "../lab/stage.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Scores of the candidates on training states, and their evaluations on held-out ones, in the same order. */
export const inputs = { scores: "metrics[]", evaluations: "evaluation[]" } as const;
/** The choice, the scores in one table, and the evaluation of the chosen one, which had no say in it. */
export const outputs = { choice: "document", scores: "metrics", evaluation: "evaluation" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({});

/** Reads the scores and hands the chosen evaluation through. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { scores, evaluations } = context.input;
  if (scores.length === 0 || scores.length !== evaluations.length) {
    throw new Error(
      `Cannot choose a guidance from ${scores.length} scores and ${evaluations.length} evaluations: ` +
        "give as many of each, and at least one",
    );
  }
  const tables = await Promise.all(scores.map(async ({ path }) => decodeTable(await Deno.readFile(path))));
  const column = (name: string) => tables.map((table) => numbers(table, name)[0]!);
  const [guidance, success, episodes] = [column("guidance"), column("success"), column("episodes")];
  const best = success.reduce(
    (best, rate, i) =>
      rate > success[best]! || (rate === success[best]! && guidance[i]! < guidance[best]!) ? i : best,
    0,
  );
  context.log(`guidance ${guidance[best]}: ${success[best]} of ${episodes[best]} training episodes`);
  const document = { guidance: guidance[best], success: success[best], episodes: episodes[best] };
  await context.output.choice.write(new TextEncoder().encode(JSON.stringify(document) + "\n"));
  const order = guidance.map((_, i) => i).sort((a, b) => guidance[a]! - guidance[b]!);
  await context.output.scores.write(encodeTable({
    guidance: Float64Array.from(order, (i) => guidance[i]!),
    success: Float64Array.from(order, (i) => success[i]!),
    episodes: Int32Array.from(order, (i) => episodes[i]!),
  }));
  await context.output.evaluation.write(await Deno.readFile(evaluations[best]!.path));
}
