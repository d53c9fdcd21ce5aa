import assert from "node:assert/strict";
import { decodeTable, encodeTable } from "../data/table.ts";
import { artifact, attempt } from "../tests/stage_context.ts";
import * as choose from "./choose_guidance.ts";
import { readGuidance } from "./guided_base.ts";

const score = (guidance: number, success: number) =>
  artifact(
    "metrics",
    encodeTable({
      guidance: Float64Array.of(guidance),
      success: Float64Array.of(success),
      episodes: Int32Array.of(20),
    }),
  );
const evaluation = (i: number) => artifact("evaluation", encodeTable({ index: Int32Array.of(i) }));

async function chosen(rows: readonly (readonly [guidance: number, success: number])[]) {
  const scores = await Promise.all(rows.map(([guidance, success]) => score(guidance, success)));
  const evaluations = await Promise.all(rows.map((_, i) => evaluation(i)));
  const { output } = await attempt(choose, { scores, evaluations }, {});
  const place = evaluations.findIndex(({ digest }) => digest === output.evaluation.digest);
  return { place, output, guidance: await readGuidance([output.choice], -1) };
}

Deno.test("the best on training states is chosen, and its own evaluation handed through", async () => {
  const { place, guidance, output } = await chosen([[3, 0.4], [1, 0.35], [2, 0.6]]);
  assert.deepEqual([place, guidance], [2, 2]);
  const table = decodeTable(await Deno.readFile(output.scores.path));
  assert.deepEqual([...table.guidance as Float64Array], [1, 2, 3]);
  assert.deepEqual([...table.success as Float64Array], [0.35, 0.6, 0.4]);
});

Deno.test("of equal scores the least guidance is chosen", async () => {
  assert.equal((await chosen([[3, 0.5], [1.5, 0.5], [2, 0.5]])).guidance, 1.5);
});

Deno.test("scores and evaluations must be as many", async () => {
  await assert.rejects(attempt(choose, { scores: [await score(1, 0.5)], evaluations: [] }, {}), {
    message:
      "Cannot choose a guidance from 1 scores and 0 evaluations: give as many of each, and at least one",
  });
});

Deno.test("without a choice the given guidance holds", async () => {
  assert.equal(await readGuidance([], 1.5), 1.5);
  const other = await artifact("document", new TextEncoder().encode("{}"));
  await assert.rejects(readGuidance([other], 1), { message: /^Cannot read a guidance from sha256:/ });
});
