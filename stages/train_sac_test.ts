import assert from "node:assert/strict";
import { decodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, task, tasks, world } from "../tests/tabletop_subjects.ts";
import * as evaluateSac from "./evaluate_sac.ts";
import * as trainSac from "./train_sac.ts";

const STEPS = 400, LANES = 2;
const learner = { batch: 8, width: 16, layers: 2 };
const shown = await demonstrations(2);

const run = (conditions: Conditions = {}) =>
  attempt(trainSac, { demonstrations: shown }, {
    world,
    task: task.name,
    first: 5,
    learner,
    online: {
      steps: STEPS,
      lanes: LANES,
      iterations: 2,
      randomEpisodes: 1,
      evaluateEvery: 400,
      evaluationEpisodes: 1,
      selectFrom: 1,
    },
  }, conditions);
const whole = await run();

Deno.test("train_sac interrupted anywhere resumes to the bytes of an uninterrupted run", async () => {
  let checkpoint: Uint8Array | undefined;
  for (const interruptAt of [5, 160, Infinity]) {
    const part = await run({ interruptAt, checkpoint });
    if (part.interrupted) checkpoint = part.checkpoints[0];
    else assert.deepEqual(digests(part), digests(whole));
  }
});

Deno.test("train_sac learns after its random episodes, from what it did itself", async () => {
  const curve = decodeTable(await Deno.readFile(whole.output.curve.path));
  assert.deepEqual([...curve.environment_steps as Float64Array], [0, 400]);
  assert.equal(curve.gradient_steps![0], 0);
  // Both lanes end their first episode after 160 rounds; the last 40 have a call of 2 x 2 updates every 2 rounds.
  assert.equal(curve.gradient_steps![1], 80);
  const { checkpoints: [bytes] } = await run({ interruptAt: 9 });
  const { tensors } = decodeSafetensors(bytes!);
  const { shape, data } = tensors["replay/column/base"]!;
  assert.deepEqual(shape, [9 * LANES, 7], "every step is stored");
  assert.ok(data.every((x) => x === 0));
  assert.ok(new Set(tensors["replay/column/action"]!.data).size > 100, "it explores from the start");
});

Deno.test("evaluate_sac runs a stored policy on the evaluation states, and resumes", async () => {
  const { weights, scale } = whole.output;
  const measure = (conditions: Conditions = {}) =>
    attempt(
      evaluateSac,
      { weights, scale },
      { world, tasks, states: 2, noises: 1, lanes: 2, learner },
      conditions,
    );
  const measured = await measure();
  const { index, success, length } = decodeTable(await Deno.readFile(measured.output.evaluation.path));
  assert.deepEqual([...index as Int32Array], [0, 1]);
  assert.deepEqual([...success as Uint8Array], [0, 0]);
  assert.deepEqual([...length as Int32Array], [task.maxSteps, task.maxSteps]);
  const episodes = await episodesOf(measured.output.episodes);
  assert.ok(episodes.every(({ split }) => split === "evaluation"));
  const { checkpoints } = await measure({ interruptAt: 1 });
  assert.deepEqual(digests(await measure({ checkpoint: checkpoints[0] })), digests(measured));
});
