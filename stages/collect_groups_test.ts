import assert from "node:assert/strict";
import type { Artifact } from "../lab/stage.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { capableBase, episodesOf, task, tasks, world } from "../tests/tabletop_subjects.ts";
import { advantages } from "../rl/ript.ts";
import * as collectGroups from "./collect_groups.ts";
import { decodeGroups, encodeGroups } from "./groups_table.ts";

const base = await capableBase(), K = 3, GROUPS = 2;
const parameters = {
  world,
  tasks,
  execute: 8,
  lanes: 3,
  first: 500,
  round: 0,
  guidance: 1,
  sampling: { groups: GROUPS, rollouts: K, contexts: 40, attempts: 12 },
};
const run = (conditions: Conditions = {}, changes: object = {}, history: readonly Artifact[] = []) =>
  attempt(collectGroups, { ...base, choice: [], history }, { ...parameters, ...changes }, conditions);
const whole = await run();
const ledger = decodeGroups(await Deno.readFile(whole.output.groups.path));

Deno.test("collect_groups keeps whole groups with both outcomes, and their leave-one-out advantages", async () => {
  const episodes = await episodesOf(whole.output.episodes);
  const kept = ledger.filter((group) => group.kept);
  assert.equal(kept.length, GROUPS);
  assert.equal(episodes.length, GROUPS * K);
  kept.forEach(({ index, successes, environmentSteps }, group) => {
    const own = episodes.filter(({ tags }) => tags.group === group);
    assert.deepEqual(
      own.map((episode) => [episode.index, episode.tags.noise]),
      [0, 1, 2].map((k) => [index, k]),
    );
    assert.equal(own.filter(({ success }) => success).length, successes);
    assert.ok(successes > 0 && successes < K);
    assert.deepEqual(
      own.map(({ tags }) => tags.advantage),
      advantages(own.map(({ success }) => Number(success))),
    );
    assert.equal(own.reduce((sum, { length }) => sum + length, 0), environmentSteps);
    assert.ok(own.every(({ split, index }) => split === "training" && index >= 500 && index < 540));
  });
  assert.equal(whole.budget.environmentSteps, ledger.reduce((sum, group) => sum + group.environmentSteps, 0));
});

Deno.test("collect_groups resumes to the bytes of an uninterrupted run, over any number of workers", async () => {
  const stopped = await run({ interruptAt: 4 });
  assert.ok(stopped.interrupted);
  const resumed = await run({ checkpoint: stopped.checkpoints.at(-1), workers: 2 });
  assert.deepEqual(digests(resumed), digests(whole));
});

Deno.test("a later round draws contexts in another order, and none that were solved", async () => {
  const solved = Array.from({ length: 39 }, (_, i) => ({
    task: task.name,
    index: 500 + i,
    rollouts: K,
    successes: K,
    kept: false,
    environmentSteps: 1,
  }));
  const history = [await artifact("metrics", encodeGroups(solved))];
  const changes = { round: 1, sampling: { ...parameters.sampling, groups: 1, dynamic: false } };
  const { output } = await run({}, changes, history);
  const groups = decodeGroups(await Deno.readFile(output.groups.path));
  assert.deepEqual(groups.map(({ index }) => index), [539]);
  const episodes = await episodesOf(output.episodes);
  assert.deepEqual(episodes.map(({ tags }) => tags.noise), [3, 4, 5], "noise of its own");
});

Deno.test("groups of fewer than two rollouts are refused", async () => {
  await assert.rejects(run({}, { sampling: { ...parameters.sampling, rollouts: 1 } }), /rollouts/);
});
