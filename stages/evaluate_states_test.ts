import assert from "node:assert/strict";
import { decodeTable } from "../data/table.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { episodesOf, task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import * as evaluate from "./evaluate.ts";
import * as evaluateStates from "./evaluate_states.ts";
import * as joinEvaluations from "./join_evaluations.ts";

const base = { ...await tinyBase(), residuals: [], scales: [] };
const common = { world, tasks, execute: 4, lanes: 2 };

const block = (first: number, noise: number, conditions: Conditions = {}) =>
  attempt(evaluateStates, base, { ...common, task: task.name, first, count: 2, noise }, conditions);

Deno.test("blocks joined are the evaluation that ran at once, byte for byte", async () => {
  const { output: whole } = await attempt(evaluate, base, { ...common, states: 4, noises: 2 });
  const blocks = [];
  for (const noise of [0, 1]) for (const first of [0, 2]) blocks.push(await block(first, noise));
  const tables = blocks.map(({ output }) => output.evaluation);
  const { output: joined } = await attempt(joinEvaluations, { blocks: tables }, {});
  const [a, b] = await Promise.all(
    [joined.evaluation, whole.evaluation].map(async ({ path }) => decodeTable(await Deno.readFile(path))),
  );
  assert.deepEqual([...a!.index as Int32Array], [0, 1, 2, 3, 0, 1, 2, 3]);
  assert.deepEqual(a, b);
  assert.equal(joined.evaluation.digest, whole.evaluation.digest);
  const actions = async (artifacts: typeof whole.episodes[]) =>
    (await Promise.all(artifacts.map(episodesOf))).flat().map(({ columns }) => columns.action!.data);
  assert.deepEqual(
    await actions(blocks.map(({ output }) => output.episodes)),
    await actions([whole.episodes]),
  );
});

Deno.test("a block keeps every finished episode: interrupted after each, it comes to the same bytes", async () => {
  const wanted = await block(0, 0);
  assert.equal(
    wanted.checkpoints.length,
    1,
    "one after the first of two episodes; the second ends the block",
  );
  const part = await block(0, 0, { interruptAt: 1 });
  assert.ok(part.interrupted);
  const rest = await block(0, 0, { checkpoint: part.checkpoints.at(-1) });
  assert.deepEqual(digests(rest), digests(wanted));
  assert.equal(rest.progress.length, 1, "only the missing episode was run");
});

Deno.test("a block refuses a task that the policy was not trained on", async () => {
  const parameters = { ...common, tasks: ["on_stove"], task: task.name, first: 0, count: 1, noise: 0 };
  await assert.rejects(attempt(evaluateStates, base, parameters), {
    message: `Cannot evaluate task "${task.name}": the policy was trained on on_stove`,
  });
});
