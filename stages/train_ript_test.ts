import assert from "node:assert/strict";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { decodeTable } from "../data/table.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, recorded, tasks, world } from "../tests/tabletop_subjects.ts";
import { readPolicy } from "./chunked_base.ts";
import * as cloneLaplace from "./clone_laplace.ts";
import * as collectLaplaceGroups from "./collect_laplace_groups.ts";
import * as evaluateLaplace from "./evaluate_laplace.ts";
import * as trainRipt from "./train_ript.ts";

const shown = await demonstrations(2);
const laplace = { steps: 60, batch: 8, width: 16, scaleWidth: 8, layers: 2, warmup: 5, ema: 0.9 };
const clone = (conditions: Conditions = {}) =>
  attempt(cloneLaplace, { demonstrations: [shown] }, { tasks, horizon: 8, laplace }, conditions);
const cloned = await clone();
const { weights, normalization } = cloned.output, policy = { weights, normalization };

const rollouts = await Promise.all(
  [[20, 0.5], [13, -0.5], [3, 0.5], [20, -0.5]].map(async ([length, advantage], index) => {
    const episode = await recorded(length!, { index });
    return { ...episode, tags: { ...episode.tags, advantage: advantage! } };
  }),
);
const episodes = await artifact("episodes", encodeEpisodes(rollouts));
// 5 + 4 + 1 + 5 windows of four executed steps: passes of three minibatches.
const learner = { epochs: 40, batch: 5, model: { learningRate: 1e-4 }, header: { learningRate: 1e-4 } };
const run = (conditions: Conditions = {}, changes: object = {}) =>
  attempt(
    trainRipt,
    { ...policy, episodes },
    { tasks, execute: 4, learner: { ...learner, ...changes } },
    conditions,
  );

Deno.test("clone_laplace resumes to the bytes of an uninterrupted run, and its loss falls", async () => {
  const stopped = await clone({ interruptAt: 1 });
  assert.deepEqual(digests(await clone({ checkpoint: stopped.checkpoints.at(-1) })), digests(cloned));
  const { loss } = decodeTable(await Deno.readFile(cloned.output.losses.path));
  assert.ok((loss as Float64Array)[1]! < (loss as Float64Array)[0]!);
});

Deno.test("train_ript resumes to the bytes of an uninterrupted run", async () => {
  const whole = await run();
  assert.equal(whole.budget.gradientSteps, 120);
  for (const interruptAt of [1, 2]) {
    const stopped = await run({ interruptAt });
    assert.ok(stopped.interrupted);
    assert.deepEqual(digests(await run({ checkpoint: stopped.checkpoints.at(-1) })), digests(whole));
  }
});

Deno.test("train_ript starts at ratio 1 and keeps a fixed scale", async () => {
  const { output } = await run({}, { epochs: 1, batch: 15, model: { learningRate: 1e-9 } });
  const { ratio, cut } = decodeTable(await Deno.readFile(output.losses.path));
  assert.ok(Math.abs((ratio as Float64Array)[0]! - 1) < 1e-5 && (cut as Float64Array)[0] === 0);
  const long = await run();
  const [before, after] = await Promise.all(
    [weights, long.output.weights].map((stored) => readPolicy(stored, normalization)),
  );
  for (const name of Object.keys(before!.weights)) {
    const same = before!.weights[name]!.data.every((x, i) => x === after!.weights[name]!.data[i]);
    assert.equal(same, name.startsWith("scale/"), name);
  }
});

Deno.test("a minibatch larger than the round takes all of it", async () => {
  assert.equal((await run({}, { epochs: 2, batch: 1000 })).budget.gradientSteps, 2);
});

Deno.test("what a Laplace policy drew is stored beside what it did, and its evaluation by the mean repeats", async () => {
  const { output } = await attempt(collectLaplaceGroups, { ...policy, history: [] }, {
    ...{ world, tasks, execute: 4, lanes: 2, first: 900, round: 0 },
    sampling: { groups: 1, rollouts: 2, contexts: 3, attempts: 3, dynamic: false },
  });
  const found = await episodesOf(output.episodes);
  assert.equal(found.length, 2);
  for (const { columns: { action, base } } of found) {
    assert.deepEqual([...action!.data], [...base!.data].map((x) => Math.max(-1, Math.min(1, x))));
    assert.ok(base!.data.some((x) => Math.abs(x) > 1));
  }
  const protocol = { world, tasks, states: 1, noises: 2, lanes: 2, execute: 4 };
  const evaluation = await attempt(evaluateLaplace, policy, { ...protocol, act: "mean" });
  const [one, two] = await episodesOf(evaluation.output.episodes);
  assert.deepEqual(one!.columns.action, two!.columns.action, "the mean knows no noise");
  const drawn = await attempt(evaluateLaplace, policy, { ...protocol, act: "sample" });
  const [first, second] = await episodesOf(drawn.output.episodes);
  assert.notDeepEqual(first!.columns.action, second!.columns.action);
});
