import assert from "node:assert/strict";
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { Pool } from "../envs/pool.ts";
import { stream } from "../random.ts";
import * as pld from "../rl/pld.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { capableBase, demonstrations, episodesOf, task, tasks, world } from "../tests/tabletop_subjects.ts";
import * as trainResidual from "./train_residual.ts";
import { stateScale } from "./transitions.ts";

const EXECUTE = 8, STEPS = 480, FIRST = 12, LANES = 2;
const base = await capableBase();
const offline = await demonstrations(2);
const learner = {
  batch: 8,
  width: 16,
  layers: 2,
  warmupEpisodes: 1,
  xi: 0.1,
  xiSchedule: { from: 0.05, steps: 400 },
};
const scale = stateScale(await episodesOf(offline), EXECUTE);
const critic = await artifact(
  "weights",
  encodeSafetensors(
    pld.initialize(
      stream(0, "critic"),
      { state: scale.center.length, action: 7 },
      pld.hyperparameters.parse(learner),
    ),
  ),
);

const run = (conditions: Conditions = {}, online: object = {}) =>
  attempt(trainResidual, { ...base, offline, critic }, {
    world,
    task: task.name,
    tasks,
    execute: EXECUTE,
    first: FIRST,
    learner,
    online: {
      steps: STEPS,
      lanes: LANES,
      iterations: 2,
      probing: 0.5,
      evaluateEvery: 240,
      evaluationEpisodes: 2,
      selectFrom: 0.3,
      ...online,
    },
  }, conditions);

/** Uninterrupted, with a checkpoint after every round; interrupted attempts write theirs only when they stop. */
const whole = await run({ alwaysDue: true });

Deno.test("train_residual interrupted anywhere resumes to the bytes of an uninterrupted run", async () => {
  const budget = { environmentSteps: 0, gradientSteps: 0 };
  let checkpoint: Uint8Array | undefined;
  // In the warm-up, at the end of a round that evaluated, while learning, after the last round.
  for (const interruptAt of [7, 113, 70, STEPS / LANES - 190, Infinity]) {
    const part = await run({ interruptAt, checkpoint, workers: checkpoint ? 1 : 2 });
    budget.environmentSteps += part.budget.environmentSteps;
    budget.gradientSteps += part.budget.gradientSteps;
    if (part.interrupted) checkpoint = part.checkpoints[0];
    else assert.deepEqual(digests(part), digests(whole));
  }
  assert.deepEqual(budget, whole.budget);
});

Deno.test("train_residual beside its learner and evaluations resumes to the same bytes, though not those of taking turns", async () => {
  const straight = await run({ alwaysDue: true }, { pipelined: true });
  const ends = (part: typeof whole, spent = { environmentSteps: 0, gradientSteps: 0 }) => ({
    digests: digests(part),
    environmentSteps: part.budget.environmentSteps + spent.environmentSteps,
    gradientSteps: part.budget.gradientSteps + spent.gradientSteps,
  });
  const spent = { environmentSteps: 0, gradientSteps: 0 };
  let checkpoint: Uint8Array | undefined;
  // With the first evaluation under way, with the second, and in between.
  for (const interruptAt of [2, 119, 71, Infinity]) {
    const part = await run({ interruptAt, checkpoint, workers: checkpoint ? 1 : 2 }, { pipelined: true });
    if (!part.interrupted) {
      assert.deepEqual(ends(part, spent), ends(straight));
      break;
    }
    spent.environmentSteps += part.budget.environmentSteps;
    spent.gradientSteps += part.budget.gradientSteps;
    checkpoint = part.checkpoints[0];
  }
  // The last evaluation, which may be the best one, is under way when the last checkpoint is written.
  const last = straight.checkpoints.at(-1)!;
  assert.ok(
    Object.keys(decodeSafetensors(last).tensors).some((name) => name.startsWith("evaluation/critic")),
  );
  assert.deepEqual(digests(await run({ checkpoint: last }, { pipelined: true })), digests(straight));
  assert.notDeepEqual(digests(straight), digests(whole));
});

/** The checkpoint after every round, and the rows that its replay holds. */
const stored = whole.checkpoints.map((bytes) => decodeSafetensors(bytes).tensors);
const rows = (at: number, name: string) => stored[at]!["replay/column/" + name]!;

Deno.test("train_residual warms up with the base alone, then stays within its reach", () => {
  assert.equal(stored.length, STEPS / LANES);
  const warm = stored.findIndex((tensors) =>
    tensors["lanes/episodes"]!.data[0]! - LANES >= learner.warmupEpisodes
  );
  assert.ok(warm > 50 && warm < stored.length - 20, `the warm-up ends after ${warm} rounds`);
  assert.deepEqual(rows(warm, "action"), rows(warm, "base"));
  const last = stored.length - 1, after = rows(warm, "action").data.length;
  const [action, base] = [rows(last, "action").data, rows(last, "base").data];
  assert.notDeepEqual(action.slice(after), base.slice(after));
  action.forEach((x, i) => assert.ok(Math.abs(x - base[i]!) <= learner.xi + 1e-6));
});

Deno.test("train_residual keeps probed steps out of its replay", () => {
  const prefix = (episode: number) => {
    const draw = stream(0, "probe", episode), length = draw.integer(Math.floor(0.4 * task.maxSteps) + 1);
    return draw.uniform() < 0.5 ? length : 0;
  };
  const lanes = Array.from({ length: LANES }, (_, i) => ({ episode: i, t: 0 }));
  let wanted = 0;
  for (const [at, tensors] of stored.entries()) {
    for (const { episode, t } of lanes) if (t >= prefix(episode)) wanted++;
    assert.equal(rows(at, "action").shape[0], wanted, `after round ${at}`);
    lanes.forEach((lane, i) => {
      const episode = tensors[`lanes/${i}/counters`]!.data[0]!;
      Object.assign(lane, { episode, t: episode === lane.episode ? lane.t + 1 : 0 });
    });
  }
  assert.ok(wanted < STEPS, "some steps were probed");
});

Deno.test("train_residual meets training states alone, and evaluates on others than it learns on", async () => {
  const { reset } = Pool.prototype;
  const states: { split: string; index: number }[] = [];
  Pool.prototype.reset = function (lane, name, state, replay) {
    states.push(state);
    return reset.call(this, lane, name, state, replay);
  };
  try {
    await run({}, { steps: 8, evaluationEpisodes: 3 });
  } finally {
    Pool.prototype.reset = reset;
  }
  assert.ok(states.every(({ split }) => split === "training"));
  const evaluated = [0, 1, 2].map((i) => FIRST + 1_000_000 + i);
  // At the start and at the end.
  assert.deepEqual(states.map(({ index }) => index).sort((a, b) => a - b), [
    FIRST,
    FIRST + 1,
    ...evaluated.flatMap((index) => [index, index]),
  ]);
});

Deno.test("train_residual writes the curve, the scale and the state of its best evaluation", async () => {
  const { output, budget } = whole;
  const curve = decodeTable(await Deno.readFile(output.curve.path));
  assert.deepEqual([...curve.environment_steps as Float64Array], [0, 240, 480]);
  assert.deepEqual([...curve.episodes as Float64Array], [2, 2, 2]);
  const learned = curve.gradient_steps!.at(-1) as number;
  assert.ok(learned > 0 && budget.gradientSteps === learned);
  assert.ok(Number.isNaN(curve["critic/loss"]![0]), "before the first update a metric has no value");
  assert.ok((curve["critic/loss"]!.at(-1) as number) > 0);
  assert.ok(budget.environmentSteps > STEPS, "the evaluations' steps are paid for");
  assert.deepEqual(decodeNormalizations(await Deno.readFile(output.scale.path)), { state: scale });
  const { tensors: { xi } } = decodeSafetensors(await Deno.readFile(output.weights.path));
  const best = [1, 2].reduce((a, b) => curve.success![b]! >= curve.success![a]! ? b : a);
  const reach = 0.05 + 0.05 * Math.min(1, (curve.environment_steps![best] as number) / 400);
  assert.deepEqual(xi!.data, new Float32Array(7).fill(reach));
});

Deno.test("train_residual refuses calls of the learner that do not fit the lanes", async () => {
  await assert.rejects(run({}, { iterations: 1, lanes: 4 }), {
    message: /^Cannot make 1 updates for each environment step in calls of 1 x 2: .* the 4 lanes$/,
  });
});
