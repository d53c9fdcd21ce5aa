import assert from "node:assert/strict";
import { decodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { stream } from "../random.ts";
import { actorFormOf } from "../rl/noise_actor.ts";
import * as dsrl from "../rl/dsrl.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import * as evaluateDsrl from "./evaluate_dsrl.ts";
import * as trainDsrl from "./train_dsrl.ts";
import * as trainNa from "./train_dsrl_na.ts";

const STEPS = 400, LANES = 2, EXECUTE = 4, START = 60, FIRST = 7;
const base = await tinyBase();
const shown = await demonstrations(2);
const small = { batch: 8, width: 16, layers: 2, critics: 2, magnitude: 0.8 };
const noise = { shape: "knots", rows: 2 } as const;
const parameters = {
  world,
  task: task.name,
  tasks,
  execute: EXECUTE,
  first: FIRST,
  noise,
  online: {
    steps: STEPS,
    lanes: LANES,
    iterations: 3,
    updatesPerQuery: 0.5,
    start: START,
    evaluateEvery: 200,
    evaluationEpisodes: 1,
    selectFrom: 1,
  },
};
const inputs = { ...base, demonstrations: shown };
const sac = (conditions: Conditions = {}) =>
  attempt(trainDsrl, inputs, { ...parameters, learner: small }, conditions);
const na = (conditions: Conditions = {}) =>
  attempt(trainNa, inputs, { ...parameters, learner: { ...small, updates: 1 } }, conditions);

const whole = await sac({ alwaysDue: true });

for (
  const [name, run, finished] of [["train_dsrl", sac, () => whole], [
    "train_dsrl_na",
    na,
    () => na(),
  ]] as const
) {
  Deno.test(`${name} interrupted anywhere resumes to the bytes of an uninterrupted run`, async () => {
    const wanted = await finished();
    const budget = { environmentSteps: 0, gradientSteps: 0 };
    let checkpoint: Uint8Array | undefined;
    // In the middle of a chunk before the start, right after a query, while learning.
    for (const interruptAt of [6, 2, 130, Infinity]) {
      const part = await run({ interruptAt, checkpoint, workers: checkpoint ? 1 : 2 });
      budget.environmentSteps += part.budget.environmentSteps;
      budget.gradientSteps += part.budget.gradientSteps;
      if (part.interrupted) checkpoint = part.checkpoints[0];
      else assert.deepEqual(digests(part), digests(wanted));
    }
    assert.deepEqual(budget, wanted.budget);
  });
}

/** The checkpoint after every round. */
const stored = whole.checkpoints.map((bytes) => decodeSafetensors(bytes).tensors);
const rows = (at: number, name: string) => stored[at]!["replay/column/" + name]!;

Deno.test("train_dsrl stores a query when its last action is executed", () => {
  assert.equal(stored.length, STEPS / LANES);
  // Episodes of 160 steps are 40 queries: lanes stay in step.
  for (const round of [1, 3, 4, 5, 80, 160, 200]) {
    assert.equal(rows(round - 1, "w").shape[0], LANES * Math.floor(round / EXECUTE), `after round ${round}`);
  }
  const last = stored.length - 1;
  assert.ok(rows(last, "discount").data.every((x) => x === Math.fround(0.999 ** EXECUTE)));
  const truncated = rows(last, "truncated").data, terminated = rows(last, "terminated").data;
  assert.equal(truncated.reduce((a, b) => a + b, 0) + terminated.reduce((a, b) => a + b, 0), LANES);
  assert.ok(rows(last, "reward").data.every((r, i) => r === -1 + terminated[i]!));
});

Deno.test("train_dsrl starts with the draws of the base, unclipped, and then keeps within its magnitude", () => {
  const w = rows(stored.length - 1, "w"), width = 14;
  const at = (query: number) => w.data.slice(query * width, (query + 1) * width);
  // Query 5 of the first episode stands at 2 * 5 of the two lanes.
  const draw = stream(0, "chunk", task.name, "training", FIRST, 0, 5).fillNormal(new Float32Array(width));
  assert.deepEqual(at(10), draw);
  assert.ok(w.data.slice(0, START * width).some((x) => Math.abs(x) > small.magnitude));
  assert.ok(w.data.slice((START + LANES) * width).every((x) => Math.abs(x) <= small.magnitude));
});

Deno.test("train_dsrl makes its updates per query after the start, and evaluates without exploration", async () => {
  const curve = decodeTable(await Deno.readFile(whole.output.curve.path));
  assert.deepEqual([...curve.environment_steps as Float64Array], [0, 200, 400]);
  // 400 steps in 2 lanes are 100 queries; 40 of them after the start owe 20 updates, in calls of 3.
  assert.deepEqual([...curve.gradient_steps as Float64Array], [0, 0, 18]);
  assert.equal(whole.budget.gradientSteps, 18);
});

Deno.test("evaluate_dsrl runs a stored steering, deterministic or sampled, and resumes", async () => {
  const { weights: actor, scale } = whole.output;
  const form = actorFormOf(dsrl.hyperparameters.parse(small));
  const measure = (sampled: boolean, conditions: Conditions = {}) =>
    attempt(evaluateDsrl, { ...base, actor, scale }, {
      ...{ world, tasks, states: 2, noises: 2, lanes: 2, execute: EXECUTE, noise },
      actor: form,
      sampled,
    }, conditions);
  const measured = await measure(false);
  const [a, b, c, d] = (await episodesOf(measured.output.episodes)).map((e) => [...e.columns.action!.data]);
  assert.deepEqual([a, b], [c, d], "w = m tanh mu: the noise streams play no part");
  const [e, , f] = (await episodesOf((await measure(true)).output.episodes)).map((each) =>
    each.columns.action!.data
  );
  assert.notDeepEqual(e, f);
  const { checkpoints } = await measure(false, { interruptAt: 1 });
  assert.deepEqual(digests(await measure(false, { checkpoint: checkpoints[0] })), digests(measured));
});

Deno.test("train_dsrl refuses what does not fit before it acts", async () => {
  const refused = (changes: object) =>
    attempt(trainDsrl, inputs, { ...parameters, learner: small, ...changes });
  await assert.rejects(refused({ noise: { shape: "full", rows: 3 } }), {
    message:
      "Cannot steer chunks of 8 actions with 3 rows of full noise: it must be the 8 rows of the horizon",
  });
  await assert.rejects(
    refused({ execute: 9 }),
    /^RangeError: Cannot execute 9 actions of a chunk: it must be 1 \.\.\. 8$/,
  );
});
