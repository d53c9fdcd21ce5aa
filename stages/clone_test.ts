import assert from "node:assert/strict";
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeTable } from "../data/table.ts";
import type { Artifact } from "../lab/stage.ts";
import { exportPolicy } from "../policies/policy.ts";
import { attempt, type Conditions, digestOf, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, tasks } from "../tests/tabletop_subjects.ts";
import { readPolicy } from "./chunked_base.ts";
import * as clone from "./clone.ts";

const given: Artifact = await demonstrations(2);
const flow = { batch: 8, width: 16, layers: 2, warmup: 10, ema: 0.9 };

/** 120 gradient steps are three calls of the learner, the last one shorter. */
const run = (conditions: Conditions = {}, steps = 120) =>
  attempt(clone, { demonstrations: [given] }, { tasks, horizon: 8, flow: { ...flow, steps } }, conditions);

Deno.test("clone resumes to the bytes of an uninterrupted run", async () => {
  const whole = await run({ alwaysDue: true });
  assert.deepEqual(whole.budget, { environmentSteps: 0, gradientSteps: 120 });
  assert.equal(whole.checkpoints.length, 3);
  for (const interruptAt of [1, 2, 3]) {
    const stopped = await run({ interruptAt });
    assert.ok(stopped.interrupted && Object.keys(stopped.output).length === 0);
    const resumed = await run({ checkpoint: stopped.checkpoints.at(-1) });
    assert.deepEqual(digests(resumed), digests(whole), `interrupted after ${interruptAt} calls`);
    assert.equal(stopped.budget.gradientSteps + resumed.budget.gradientSteps, 120);
  }
});

Deno.test("clone writes the policy of its weights, one loss for each call, and the units of single actions", async () => {
  const { output } = await run();
  const { weights, normalization } = await readPolicy(output.weights, output.normalization);
  assert.equal(output.policy.digest, digestOf(exportPolicy(weights, normalization, 1).onnx));
  const { gradient_steps, loss } = decodeTable(await Deno.readFile(output.losses.path));
  assert.deepEqual([...gradient_steps as Int32Array], [50, 100, 120]);
  assert.ok((loss as Float64Array).every((x) => x > 0) && (loss![2]! < loss![0]!));
  const episodes = await episodesOf(given);
  const steps = episodes.reduce((n, { length }) => n + length, 0);
  const { actions } = decodeNormalizations(await Deno.readFile(output.normalization.path));
  assert.equal(actions!.n, steps);
  const gripper = episodes.flatMap(({ columns }) => [...columns.action!.data.filter((_, i) => i % 7 === 6)]);
  const mean = gripper.reduce((a, b) => a + b, 0) / steps;
  assert.ok(Math.abs(actions!.center[6]! - mean) < 1e-6);
});

Deno.test("clone follows the seed", async () => {
  assert.notEqual(
    (await run({ seed: 1 }, 10)).output.weights.digest,
    (await run({}, 10)).output.weights.digest,
  );
});
