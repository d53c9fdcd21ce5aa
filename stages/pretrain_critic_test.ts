import assert from "node:assert/strict";
import { decodeSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations } from "../tests/tabletop_subjects.ts";
import * as pretrainCritic from "./pretrain_critic.ts";

const offline = await demonstrations(2);
const learner = { batch: 8, width: 16, layers: 2 };

/** 25 steps are three calls of the learner, the last one shorter. */
const run = (conditions: Conditions = {}, { steps = 25, keepPretrainedActor = true, rewardScale = 1 } = {}) =>
  attempt(pretrainCritic, { offline }, {
    execute: 4,
    learner: { ...learner, keepPretrainedActor, rewardScale },
    calql: { steps, samples: 2, targetSamples: 2 },
  }, conditions);

const tensorsOf = async ({ output }: Awaited<ReturnType<typeof run>>) =>
  decodeSafetensors(await Deno.readFile(output.weights.path)).tensors;

Deno.test("pretrain_critic resumes to the bytes of an uninterrupted run", async () => {
  const whole = await run();
  assert.equal(whole.budget.gradientSteps, 25);
  for (const interruptAt of [1, 2, 3]) {
    const stopped = await run({ interruptAt });
    assert.ok(stopped.interrupted);
    const resumed = await run({ checkpoint: stopped.checkpoints.at(-1) });
    assert.deepEqual(digests(resumed), digests(whole), `interrupted after ${interruptAt} calls`);
  }
  const table = decodeTable(await Deno.readFile(whole.output.losses.path));
  assert.deepEqual([...table.gradient_steps as Float64Array], [10, 20, 25]);
  assert.ok("critic/loss" in table);
});

Deno.test("pretrain_critic draws a new actor unless the pretrained one is kept; the critic is the same", async () => {
  const kept = await tensorsOf(await run()),
    drawn = await tensorsOf(await run({}, { keepPretrainedActor: false }));
  const fresh = await tensorsOf(await run({ seed: 0 }, { keepPretrainedActor: false, rewardScale: 10 }));
  assert.deepEqual(Object.keys(drawn).sort(), Object.keys(kept).sort());
  for (const name of Object.keys(kept)) {
    if (/^(critic|target)\//.test(name)) assert.deepEqual(drawn[name], kept[name], name);
  }
  assert.notDeepEqual(drawn["actor/0/kernel"], kept["actor/0/kernel"]);
  assert.deepEqual(drawn["actor/0/kernel"], fresh["actor/0/kernel"], "it owes nothing to the data");
  assert.notDeepEqual(drawn["critic/0/kernel"], fresh["critic/0/kernel"]);
  assert.deepEqual([...drawn.log_alpha!.data], [0]);
});

Deno.test("pretrain_critic of no steps gives the drawn learner and an empty table", async () => {
  const { output, budget } = await run({}, { steps: 0 });
  assert.equal(budget.gradientSteps, 0);
  const { gradient_steps } = decodeTable(await Deno.readFile(output.losses.path));
  assert.equal(gradient_steps!.length, 0);
  const tensors = decodeSafetensors(await Deno.readFile(output.weights.path)).tensors;
  assert.deepEqual(tensors["target/0/kernel"], tensors["critic/0/kernel"]);
});
