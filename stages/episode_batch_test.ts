import assert from "node:assert/strict";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Episode } from "../data/episode.ts";
import { Pool } from "../envs/pool.ts";
import { bareContext, type Conditions, digestOf, Interruption } from "../tests/stage_context.ts";
import { task } from "../tests/tabletop_subjects.ts";
import { runEpisodes } from "./episode_batch.ts";
import type { Plan } from "./recording.ts";
import type { Actor } from "./rollout.ts";

/** Stands still; fails every episode after the whole step budget. */
const idle: Actor = {
  begin: () => {},
  act: (lanes) => Promise.resolve(lanes.map((lane) => lane && { action: new Float32Array(7) })),
};

const plans = (count: number) => (i: number): Plan | undefined =>
  i < count
    ? { task, state: { split: "training", index: 7 * i }, noise: i, tags: { twice: 2 * i } }
    : undefined;
const third = ({ tags }: Episode) => tags.noise! % 3 === 2;

/** Runs `count` plans at most until two episodes of every third are kept. */
async function batch(count: number, conditions: Conditions = {}, actor = idle) {
  const { context, record } = bareContext(conditions);
  await using pool = await Pool.open({ suite: "tabletop", lanes: 3, workers: 1 });
  const options = { pool, size: 3, actor, observations: false, keep: third, plan: plans(count) };
  try {
    return { record, ...await runEpisodes(context, { ...options, wanted: 2 }) };
  } catch (error) {
    if (error instanceof Interruption) return { record, tried: [], kept: [] };
    throw error;
  }
}
const whole = await batch(20, { alwaysDue: true });

Deno.test("runEpisodes() keeps by the order of the plans, and tries none behind the last it needed", () => {
  const { tried, kept, record } = whole;
  assert.deepEqual(
    tried.map(({ tags }) => tags),
    [0, 1, 2, 3, 4, 5].map((i) => ({ noise: i, twice: 2 * i })),
  );
  assert.deepEqual(tried.map(({ index }) => index), [0, 7, 14, 21, 28, 35]);
  assert.deepEqual(kept.map(({ index }) => index), [14, 35]);
  assert.deepEqual(record.budget, { environmentSteps: 6 * task.maxSteps, gradientSteps: 0 });
});

Deno.test("runEpisodes() resumes to the bytes of an uninterrupted run, and runs only what is missing", async () => {
  for (const interruptAt of [4]) {
    const { record: { checkpoints } } = await batch(20, { interruptAt });
    assert.equal(checkpoints.length, 1);
    const resumed = await batch(20, { checkpoint: checkpoints[0] });
    assert.equal(digestOf(encodeEpisodes(resumed.tried)), digestOf(encodeEpisodes(whole.tried)));
    assert.equal(digestOf(encodeEpisodes(resumed.kept)), digestOf(encodeEpisodes(whole.kept)));
    assert.deepEqual(resumed.record.budget, whole.record.budget);
    assert.ok(resumed.record.progress.length < whole.record.progress.length);
  }
});

Deno.test("runEpisodes() says when the attempts run out, and runs none that a checkpoint holds", async () => {
  const { record: { checkpoints } } = whole;
  assert.equal(checkpoints.length, 5, "the episode that ends the batch needs none");
  const message = "Cannot keep 2 episodes: 1 of the 5 tried were of the wanted kind; " +
    "allow more attempts or improve the policy that acts";
  await assert.rejects(batch(5), { message });
  const begun: number[] = [];
  const watched: Actor = { ...idle, begin: ({ plan }) => begun.push(plan.noise) };
  await assert.rejects(batch(5, { checkpoint: checkpoints[3] }, watched), { message });
  assert.deepEqual(begun, [4]);
});
