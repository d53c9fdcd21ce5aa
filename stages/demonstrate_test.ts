import assert from "node:assert/strict";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { episodesOf, task, world } from "../tests/tabletop_subjects.ts";
import * as demonstrate from "./demonstrate.ts";

const run = (lanes: number, conditions: Conditions = {}) =>
  attempt(demonstrate, {}, { world, task: task.name, episodes: 3, first: 30, lanes }, conditions);
const whole = await run(3);

Deno.test("demonstrate keeps the same successes with 3 lanes and with 5, with 1 worker and with 2", async () => {
  assert.deepEqual(digests(await run(5, { workers: 2 })), digests(whole));
  const episodes = await episodesOf(whole.output.episodes);
  assert.equal(episodes.length, 3);
  for (const { success, split, index, columns, length } of episodes) {
    assert.ok(success && split === "training" && index >= 30);
    assert.deepEqual(columns.action!.shape, [length, 7]);
    assert.ok(columns.action!.data.every((x) => Math.abs(x) <= 1));
    for (const name of task.objects) assert.deepEqual(columns[`object/${name}`]!.shape, [length, 13]);
  }
  const indices = episodes.map(({ index }) => index);
  assert.deepEqual(indices, indices.toSorted((a, b) => a - b));
});

Deno.test("demonstrate resumes to the bytes of an uninterrupted run", async () => {
  for (const interruptAt of [1, 2]) {
    const stopped = await run(3, { interruptAt });
    assert.ok(stopped.interrupted);
    const resumed = await run(3, { checkpoint: stopped.checkpoints.at(-1) });
    assert.deepEqual(digests(resumed), digests(whole));
    assert.deepEqual(resumed.budget, whole.budget);
  }
});

Deno.test("the noise of demonstrations follows the seed", async () => {
  assert.notDeepEqual(digests(await run(3, { seed: 1 })), digests(whole));
});
