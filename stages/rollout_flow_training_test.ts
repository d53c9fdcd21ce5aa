import assert from "node:assert/strict";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { CONDITION, guided, withCondition } from "../policies/guided.ts";
import { exportPolicy } from "../policies/policy.ts";
import { artifact, attempt, type Conditions, digestOf, digests } from "../tests/stage_context.ts";
import { demonstrations, recorded, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import { readPolicy } from "./chunked_base.ts";
import * as evaluate from "./evaluate.ts";
import * as evaluateGuided from "./evaluate_guided.ts";
import * as trainAwr from "./train_awr.ts";
import * as trainCfgFlow from "./train_cfg_flow.ts";

const base = await tinyBase();
const shown = await demonstrations(1);
const rollouts = await Promise.all(
  [[20, 0.5], [13, -0.5], [3, 0.5], [20, -0.5]].map(async ([length, advantage], index) => {
    const episode = await recorded(length!, { index });
    return { ...episode, tags: { ...episode.tags, advantage: advantage! } };
  }),
);
const episodes = [await artifact("episodes", encodeEpisodes(rollouts))];
const optimization = {
  steps: 120,
  batch: 8,
  ema: 0.5,
  model: { learningRate: 1e-3 },
  header: { learningRate: 1e-3 },
};

const train = (
  module: typeof trainCfgFlow,
  learner: object = {},
  conditions: Conditions = {},
  more: object = {},
) =>
  attempt(
    module,
    { ...base, episodes, demonstrations: [], ...more },
    { tasks, stride: 4, learner: { ...optimization, ...learner } as never },
    conditions,
  );

for (const [name, module] of [["train_cfg_flow", trainCfgFlow], ["train_awr", trainAwr as never]] as const) {
  Deno.test(`${name} resumes to the bytes of an uninterrupted run`, async () => {
    const whole = await train(module, {}, { alwaysDue: true });
    assert.deepEqual(whole.budget, { environmentSteps: 0, gradientSteps: 120 });
    assert.equal(whole.checkpoints.length, 3);
    for (const interruptAt of [1, 2, 3]) {
      const stopped = await train(module, {}, { interruptAt });
      assert.ok(stopped.interrupted);
      const resumed = await train(module, {}, { checkpoint: stopped.checkpoints.at(-1) });
      assert.deepEqual(digests(resumed), digests(whole), `interrupted after ${interruptAt} calls`);
    }
    const losses = decodeTable(await Deno.readFile(whole.output.losses.path));
    assert.deepEqual([...losses.gradient_steps as Int32Array], [50, 100, 120]);
    assert.equal(whole.output.normalization.digest, base.normalization.digest);
  });
}

Deno.test("train_cfg_flow writes weights with a condition, and its conditional branch as a program", async () => {
  const { output } = await train(trainCfgFlow);
  const { weights, normalization } = await readPolicy(output.weights, output.normalization);
  assert.ok(weights[CONDITION]!.data.some((x) => x !== 0));
  assert.equal(output.policy.digest, digestOf(exportPolicy(weights, normalization, 1, guided(1)).onnx));
});

Deno.test("demonstrations count as positive where they are given", async () => {
  const positive = async (more: object) => {
    const { output } = await train(trainCfgFlow, { unconditional: 0, steps: 10 }, {}, more);
    const { conditional } = decodeTable(await Deno.readFile(output.losses.path));
    return (conditional as Float64Array)[0]!;
  };
  // One short positive among negatives teaches the conditional branch something only where it is drawn.
  assert.notEqual(await positive({}), await positive({ demonstrations: [shown] }));
});

Deno.test("the learner's mistakes are told in one line", async () => {
  const header = { weights: ["velocity/none"] };
  await assert.rejects(train(trainCfgFlow, { header }), {
    message:
      /^Cannot train an empty parameter group "header": header is velocity\/none, the weights are [^\n]*$/,
  });
  const bare = [await artifact("episodes", encodeEpisodes([await recorded(5)]))];
  await assert.rejects(train(trainCfgFlow, {}, {}, { episodes: bare }), {
    message: new RegExp(`^Cannot cut windows from an episode of "${tasks[0]}": it has no advantage$`),
  });
});

Deno.test("a zero condition is evaluated to the very bytes of the base, under any guidance", async () => {
  const protocol = { world, tasks, states: 2, noises: 2, lanes: 4, execute: 4 };
  const { output: wanted } = await attempt(evaluate, { ...base, residuals: [], scales: [] }, protocol);
  const stored = await readPolicy(base.weights, base.normalization);
  const weights = await artifact("weights", encodeSafetensors(withCondition(stored.weights)));
  const policies = [[base.weights, 2], [weights, 0], [weights, 3]] as const;
  for (const [weights, guidance] of policies) {
    const { output } = await attempt(evaluateGuided, { ...base, weights }, { ...protocol, guidance });
    assert.equal(output.episodes.digest, wanted.episodes.digest, `s = ${guidance}`);
    assert.equal(output.evaluation.digest, wanted.evaluation.digest);
  }
  await assert.rejects(attempt(evaluateGuided, base, { ...protocol, guidance: -1 }), /guidance/);
});
