import assert from "node:assert/strict";
import { advantages } from "../rl/ript.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { capableBase, episodesOf, tasks, world } from "../tests/tabletop_subjects.ts";
import * as collectGroups from "./collect_groups.ts";
import * as collectTriedGroups from "./collect_tried_groups.ts";
import { decodeGroups } from "./groups_table.ts";

const inputs = { ...await capableBase(), choice: [], history: [] };
const acting = { world, tasks, execute: 8, lanes: 3, first: 500, round: 1, guidance: 1 };
const sampling = { rollouts: 2, contexts: 40 };
const run = (attempts: number, conditions: Conditions = {}) =>
  attempt(collectTriedGroups, inputs, { ...acting, sampling: { ...sampling, attempts } }, conditions);
const groups = async (made: Awaited<ReturnType<typeof run>>) =>
  decodeGroups(await Deno.readFile(made.output.groups.path));

// Goes on until two are kept: what it tried is what the budgeted stage is given.
const until = await attempt(collectGroups, inputs, { ...acting, sampling: { ...sampling, groups: 2 } });
const ledger = decodeGroups(await Deno.readFile(until.output.groups.path));
const whole = await run(ledger.length);

Deno.test("collect_tried_groups keeps of the contexts tried what collect_groups keeps of them", () => {
  assert.ok(ledger.length > 2, "no context was rejected: the test could not fail");
  assert.deepEqual(digests(whole), digests(until));
  assert.deepEqual(whole.budget, until.budget);
});

Deno.test("all contexts are tried and paid for, whatever comes of them", async () => {
  const made = await run(ledger.length + 1), tried = await groups(made);
  assert.equal(tried.length, ledger.length + 1);
  assert.equal(
    made.budget.environmentSteps,
    tried.reduce((sum, { environmentSteps }) => sum + environmentSteps, 0),
  );
  const episodes = await episodesOf(made.output.episodes);
  const kept = tried.filter((group) => group.kept);
  assert.equal(episodes.length, kept.length * sampling.rollouts);
  kept.forEach(({ index, successes }, group) => {
    const own = episodes.filter(({ tags }) => tags.group === group);
    assert.ok(own.every((episode) => episode.index === index));
    assert.ok(successes > 0 && successes < sampling.rollouts);
    assert.deepEqual(
      own.map(({ tags }) => tags.advantage),
      advantages(own.map(({ success }) => Number(success))),
    );
  });
});

Deno.test("collect_tried_groups resumes to the bytes of an uninterrupted run", async () => {
  const stopped = await run(ledger.length, { interruptAt: 4 });
  assert.ok(stopped.interrupted);
  const resumed = await run(ledger.length, { checkpoint: stopped.checkpoints.at(-1), workers: 2 });
  assert.deepEqual(digests(resumed), digests(whole));
});

Deno.test("contexts without contrast are refused in one line", async () => {
  const alike = ledger.findIndex(({ kept }) => kept);
  assert.ok(alike > 0, "the first context has contrast: the test could not fail");
  await assert.rejects(run(alike), {
    message: `Cannot learn from ${alike} groups of 2 rollouts: none has both outcomes; ` +
      "allow more contexts or more rollouts each",
  });
});
