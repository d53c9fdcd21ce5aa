import assert from "node:assert/strict";
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import * as collectRollouts from "./collect_rollouts.ts";
import * as evaluateQc from "./evaluate_qc.ts";
import * as evaluateFql from "./evaluate_qc_fql.ts";
import * as trainQc from "./train_qc.ts";
import * as trainFql from "./train_qc_fql.ts";
import * as trainFqlOnline from "./train_qc_fql_online.ts";
import * as trainQcOnline from "./train_qc_online.ts";

const HORIZON = 4, STEPS = 400, LANES = 2, ACTION = 7;
const base = await tinyBase();
const shown = await demonstrations(2);
const rolled = (await attempt(collectRollouts, base, {
  ...{ world, task: task.name, tasks, execute: HORIZON, episodes: 2, first: 50, lanes: 2 },
})).output.episodes;
const data = { normalization: base.normalization, episodes: [rolled], demonstrations: [shown] };
const common = { horizon: HORIZON, steps: 60, batch: 8, width: 16, layers: 2, flowSteps: 2 };
const qc = { ...common, candidates: 3, targetCandidates: 2 };
const trainedQc = (conditions: Conditions = {}) => attempt(trainQc, data, { tasks, learner: qc }, conditions);
const trainedFql = (conditions: Conditions = {}) =>
  attempt(trainFql, data, { tasks, learner: common }, conditions);
const offline = { qc: await trainedQc(), fql: await trainedFql() };
const acting = {
  ...{ world, task: task.name, tasks, first: 7 },
  online: {
    ...{ steps: STEPS, lanes: LANES, iterations: 4, updatesPerStep: 0.1, start: 80 },
    ...{ evaluateEvery: 400, evaluationEpisodes: 1, selectFrom: 1 },
  },
};
const start = ({ weights, scale }: typeof offline.qc.output) => ({ ...data, weights, scale });
const onlineQc = (conditions: Conditions = {}) =>
  attempt(trainQcOnline, start(offline.qc.output), { ...acting, learner: qc }, conditions);
const onlineFql = (conditions: Conditions = {}) =>
  attempt(trainFqlOnline, start(offline.fql.output), { ...acting, learner: common }, conditions);
const whole = await onlineQc({ alwaysDue: true });

for (
  const [name, run, finished, interruptions] of [
    ["QC", onlineQc, () => whole, [6, 2, 165]],
    ["QC-FQL", onlineFql, () => onlineFql(), [165]],
  ] as const
) {
  Deno.test(`${name} online, interrupted anywhere, resumes to the bytes of an uninterrupted run`, async () => {
    const wanted = await finished();
    const budget = { environmentSteps: 0, gradientSteps: 0 };
    let checkpoint: Uint8Array | undefined;
    // In a chunk, between two, and while learning.
    for (const interruptAt of [...interruptions, Infinity]) {
      const part = await run({ interruptAt, checkpoint, workers: checkpoint ? 1 : 2 });
      budget.environmentSteps += part.budget.environmentSteps;
      budget.gradientSteps += part.budget.gradientSteps;
      if (part.interrupted) checkpoint = part.checkpoints[0];
      else assert.deepEqual(digests(part), digests(wanted));
    }
    assert.deepEqual(budget, wanted.budget);
  });
}

Deno.test("both offline phases, interrupted, resume to the bytes of an uninterrupted run", async () => {
  for (const [run, wanted] of [[trainedQc, offline.qc], [trainedFql, offline.fql]] as const) {
    const { checkpoints, interrupted } = await run({ interruptAt: 1 });
    assert.ok(interrupted);
    assert.deepEqual(digests(await run({ checkpoint: checkpoints[0] })), digests(wanted));
  }
});

/** The checkpoint after every round. */
const stored = whole.checkpoints.map((bytes) => decodeSafetensors(bytes).tensors);
const before = [...await episodesOf(rolled), ...await episodesOf(shown)]
  .reduce((sum, { length }) => sum + length, 0);
const rows = (at: number, name: string) => stored[at]!["replay/column/" + name]!;

Deno.test("QC online keeps the offline chunks and adds those of its episodes when they end", () => {
  const last = stored.length - 1;
  assert.equal(rows(0, "chunk").shape[0], before);
  // Episodes of this learner run into the budget of 160 steps, both lanes at once.
  assert.equal(rows(158, "chunk").shape[0], before);
  assert.equal(rows(159, "chunk").shape[0], before + LANES * task.maxSteps);
  const chunk = rows(last, "chunk").data, wide = HORIZON * ACTION;
  assert.deepEqual(chunk.slice(0, before * wide), rows(0, "chunk").data);
  // Starts one step apart share all but a step of their chunks.
  const at = (t: number) => [...chunk.slice((before + t) * wide, (before + t + 1) * wide)];
  assert.deepEqual(at(1).slice(0, -ACTION), at(0).slice(ACTION));
  const state = rows(last, "state"), width = state.shape[1]!;
  const states = (
    name: string,
    t: number,
  ) => [...rows(last, name).data.slice((before + t) * width, (before + t + 1) * width)];
  assert.deepEqual(states("nextState", 3), states("state", 3 + HORIZON));
  const valid = [...rows(last, "valid").data.slice(before, before + task.maxSteps)];
  assert.deepEqual(valid.slice(-HORIZON), [1, 0, 0, 0], "the state after the last action is known");
  assert.ok(valid.slice(0, -HORIZON).every((x) => x === 1));
});

Deno.test("QC online makes its updates per step after the start", async () => {
  const curve = decodeTable(await Deno.readFile(whole.output.curve.path));
  assert.deepEqual([...curve.environment_steps as Float64Array], [0, 400]);
  // 320 steps were stored at once; 240 of them after the start owe 24 updates.
  assert.deepEqual([...curve.gradient_steps as Float64Array], [0, 24]);
  assert.equal(whole.budget.gradientSteps, 24);
});

const protocol = { world, tasks, states: 2, noises: 1, lanes: 2 };
const { normalization } = base;

Deno.test("evaluate_qc of one candidate is the flow alone, of several the critics' choice; it resumes", async () => {
  const { weights, scale } = offline.qc.output;
  const measure = (candidates: number, trained = weights, conditions: Conditions = {}) =>
    attempt(evaluateQc, { weights: trained, scale, normalization }, {
      ...{ ...protocol, learner: qc, candidates },
    }, conditions);
  const { tensors } = decodeSafetensors(await Deno.readFile(weights.path));
  for (const [name, { data }] of Object.entries(tensors)) {
    if (name.startsWith("critic/out/")) data.forEach((x, i) => data[i] = -x);
  }
  const turned = await artifact("weights", encodeSafetensors(tensors));
  const alone = await measure(1);
  assert.deepEqual(digests(await measure(1, turned)), digests(alone));
  const best = await measure(3);
  assert.notDeepEqual(digests(await measure(3, turned)), digests(best));
  const { checkpoints } = await measure(3, weights, { interruptAt: 1 });
  assert.deepEqual(digests(await measure(3, weights, { checkpoint: checkpoints[0] })), digests(best));
});

Deno.test("evaluate_qc_fql runs the one-step policy", async () => {
  const { weights, scale } = offline.fql.output;
  const { output } = await attempt(evaluateFql, { weights, scale, normalization }, {
    ...{ ...protocol, learner: common },
  });
  const [first] = await episodesOf(output.episodes);
  assert.ok(first!.columns.action!.data.every((x) => Math.abs(x) <= 1));
  assert.ok(first!.columns.action!.data.some((x) => x !== 0));
});

Deno.test("a file that is no policy's units is refused in one line", async () => {
  const { scale, weights } = offline.qc.output;
  await assert.rejects(
    attempt(evaluateQc, { weights, scale, normalization: scale }, {
      ...{ ...protocol, learner: qc, candidates: 1 },
    }),
    /^Error: Cannot read the units sha256:[0-9a-f]{64}: they must name "features" and "actions"$/,
  );
});
