import assert from "node:assert/strict";
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import type { Artifact } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import * as pld from "../rl/pld.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import * as evaluate from "./evaluate.ts";
import { evaluationPlans } from "./evaluation_table.ts";
import { openWorld } from "./world.ts";
import { stateScale } from "./transitions.ts";

const EXECUTE = 4;
const base = await tinyBase();

/** A specialist of reach `xi` whose residual is no longer small: its last kernel is 100 times a fresh one's. */
async function specialist(xi: number): Promise<{ residuals: Artifact[]; scales: Artifact[] }> {
  const scale = stateScale(await episodesOf(await demonstrations(2)), EXECUTE);
  const sizes = { state: scale.center.length, action: 7 };
  const h = pld.hyperparameters.parse({ width: 16, layers: 2 });
  const tensors = pld.initialize(stream(3, "specialist"), sizes, h);
  const kernel = tensors["actor/out/kernel"]!;
  kernel.data.forEach((x, i) => kernel.data[i] = 100 * x);
  return {
    residuals: [
      await artifact(
        "weights",
        encodeSafetensors({ ...tensors, xi: ndarray([7], new Float32Array(7).fill(xi)) }),
      ),
    ],
    scales: [await artifact("normalization", encodeNormalizations({ state: scale }))],
  };
}
const alone = { residuals: [], scales: [] };
const residual = await specialist(0.5);

const run = (
  policy: { residuals: Artifact[]; scales: Artifact[] },
  conditions: Conditions = {},
  names = tasks,
) =>
  attempt(evaluate, { ...base, ...policy }, {
    world,
    tasks: names,
    states: 2,
    noises: 2,
    lanes: 3,
    execute: EXECUTE,
  }, conditions);

const wanted = await run(alone), moved = await run(residual);

Deno.test("evaluate of a residual at xi = 0 is the evaluation of the base, bit for bit", async () => {
  const zero = await run(await specialist(0));
  assert.deepEqual(digests(zero), digests(wanted));
  assert.notEqual(moved.output.episodes.digest, wanted.output.episodes.digest, "the residual does act");
  for (const { columns } of await episodesOf(moved.output.episodes)) {
    columns.action!.data.forEach((x, i) => assert.ok(Math.abs(x - columns.base!.data[i]!) <= 0.5 + 1e-6));
  }
});

Deno.test("evaluate writes one row for each state and noise, in the order of the plans", async () => {
  const { output, budget } = wanted;
  const table = decodeTable(await Deno.readFile(output.evaluation.path));
  assert.deepEqual(Object.keys(table), ["task", "index", "noise", "success", "length"]);
  assert.deepEqual([...table.index as Int32Array], [0, 1, 0, 1]);
  assert.deepEqual([...table.noise as Int32Array], [0, 0, 1, 1]);
  const episodes = await episodesOf(output.episodes);
  assert.deepEqual(episodes.map(({ length }) => length), [...table.length as Int32Array]);
  assert.deepEqual(Object.keys(episodes[0]!.columns).sort(), ["action", "base"]);
  assert.ok(episodes.every(({ split }) => split === "evaluation"));
  assert.equal(budget.environmentSteps, episodes.reduce((n, { length }) => n + length, 0));
  const [a, , b] = episodes;
  assert.notDeepEqual(a!.columns.action!.data, b!.columns.action!.data, "noise streams differ");
});

Deno.test("evaluate resumes to the same bytes, in whatever lanes the rest runs", async () => {
  let checkpoint: Uint8Array | undefined;
  for (const interruptAt of [1, 2, Infinity]) {
    const part = await run(residual, { interruptAt, checkpoint, workers: 2 });
    if (part.interrupted) checkpoint = part.checkpoints[0];
    else assert.deepEqual(digests(part), digests(moved));
  }
});

Deno.test("evaluationPlans() runs every task, noise and state, states first", async () => {
  const names = [task.name, "on_stove"];
  const plans = evaluationPlans(await openWorld(world), { tasks: names, states: 3, noises: 2 });
  assert.deepEqual(
    plans.map((plan) => [plan.task.name, plan.noise, plan.state.index]),
    names.flatMap((name) => [0, 1].flatMap((noise) => [0, 1, 2].map((index) => [name, noise, index]))),
  );
  assert.ok(plans.every(({ state }) => state.split === "evaluation"));
});

Deno.test("evaluate refuses residuals that are not one for each task", async () => {
  await assert.rejects(run({ ...residual, scales: [] }), {
    message: "Cannot open 1 residuals with 0 scales for 1 tasks: give one of each for every task, or none",
  });
  const wrong = {
    residuals: residual.residuals,
    scales: [await artifact("normalization", encodeNormalizations({}))],
  };
  await assert.rejects(run(wrong), {
    message: `Cannot open the specialist of "${task.name}": its normalization names no "state"`,
  });
  const empty = { residuals: [await artifact("weights", encodeSafetensors({}))], scales: residual.scales };
  await assert.rejects(run(empty), {
    message: 'Cannot open a specialist: its weights hold no residual scale "xi"',
  });
});
