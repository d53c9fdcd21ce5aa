import assert from "node:assert/strict";
import { decodeMixedSafetensors } from "../data/safetensors.ts";
import { decodeTable } from "../data/table.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import { camerasOf, picturesOf } from "./cameras.ts";
import * as evaluateDsrl from "./evaluate_dsrl_pixels.ts";
import * as trainDsrl from "./train_dsrl_pixels.ts";

const EXECUTE = 8, STEPS = 192, LANES = 2, EDGE = 20;
const cameras = ["agentview" as const, "eye_in_hand" as const].map((name) => ({
  name,
  width: EDGE,
  height: EDGE,
}));
const seeing = { ...world, cameras };
const base = await tinyBase();
const shown = await demonstrations(2);
const learner = { batch: 4, buffer: 20, critics: 2, layers: 1, width: 8, latent: 6, filters: 3 };
const shared = { task: task.name, tasks, execute: EXECUTE, first: 12, noise: {} };
const online = {
  steps: STEPS,
  lanes: LANES,
  iterations: 1,
  evaluateEvery: 96,
  evaluationEpisodes: 2,
  selectFrom: 0.5,
  updatesPerQuery: 1,
  start: 6,
};

const run = (conditions: Conditions = {}, more: object = {}) =>
  attempt(
    trainDsrl,
    { ...base, demonstrations: shown, trunk: [] },
    { ...shared, world: seeing, learner, online, ...more },
    conditions,
  );
const whole = await run({ alwaysDue: true });

Deno.test("train_dsrl_pixels interrupted anywhere resumes to the bytes of an uninterrupted run", async () => {
  let checkpoint: Uint8Array | undefined;
  for (const interruptAt of [3, 41, Infinity]) {
    const part = await run({ interruptAt, checkpoint, workers: checkpoint ? 1 : 2 });
    if (part.interrupted) checkpoint = part.checkpoints[0];
    else assert.deepEqual(digests(part), digests(whole));
  }
});

Deno.test("train_dsrl_pixels stores pictures as bytes, what came next beside what was seen", () => {
  const { tensors } = decodeMixedSafetensors(whole.checkpoints.at(-1)!);
  const [pixels, next] = ["pixels", "nextPixels"].map((name) => tensors[`replay/column/${name}`]!);
  assert.deepEqual(pixels!.shape.slice(1), [EDGE, EDGE, 6]);
  assert.ok(pixels!.data instanceof Uint8Array && next!.data instanceof Uint8Array);
  assert.ok(new Set(pixels!.data).size > 20, "pictures show something");
  // The two lanes store in turn: what a query led to is what the lane's next query saw, within an episode.
  const size = EDGE * EDGE * 6,
    row = (x: typeof pixels, i: number) => x!.data.slice(i * size, (i + 1) * size);
  assert.deepEqual(row(next, 0), row(pixels, 2));
  assert.notDeepEqual(row(pixels, 0), row(pixels, 2));
});

Deno.test("train_dsrl_pixels learns, and what it learned can be evaluated", async () => {
  const curve = decodeTable(await Deno.readFile(whole.output.curve.path));
  assert.ok((curve.gradient_steps!.at(-1) as number) > 0);
  assert.ok((curve["critic/loss"]!.at(-1) as number) > 0);
  const { output } = await attempt(evaluateDsrl, { ...base, actor: whole.output.weights, trunk: [] }, {
    world: seeing,
    tasks,
    states: 2,
    noises: 1,
    lanes: LANES,
    execute: EXECUTE,
    noise: {},
    actor: {
      magnitude: 1,
      layers: 1,
      width: 8,
      activation: "relu",
      actorLayerNorm: false,
      filters: 3,
      latent: 6,
    },
    sampled: false,
  });
  const evaluation = decodeTable(await Deno.readFile(output.evaluation.path));
  assert.equal(evaluation.success!.length, 2);
});

Deno.test("train_dsrl_pixels needs cameras of one known size", async () => {
  await assert.rejects(run({}, { world }), {
    message: "Cannot learn from pictures without cameras: give the world's settings some",
  });
  assert.throws(
    () => camerasOf({ name: "tabletop", cameras: [cameras[0]!, { ...cameras[1]!, width: 30 }] }),
    {
      message: 'Cannot learn from camera "eye_in_hand" of 30 x 20 beside "agentview" of 20 x 20: ' +
        "all must have one size",
    },
  );
});

Deno.test("picturesOf() puts the cameras side by side in every pixel", () => {
  const image = (first: number) => ({
    width: 2,
    height: 1,
    data: Uint8Array.from({ length: 6 }, (_, i) => first + i),
  });
  const observation = { images: { a: image(10), b: image(100) } } as never;
  const found = picturesOf(observation, { names: ["a", "b"], height: 1, width: 2, channels: 6 });
  assert.deepEqual([...found], [10, 11, 12, 100, 101, 102, 13, 14, 15, 103, 104, 105]);
});
