import assert from "node:assert/strict";
import type { InitialState, Lanes, Observation } from "../envs/environment.ts";
import { bareContext, type Conditions, Interruption } from "../tests/stage_context.ts";
import { task } from "../tests/tabletop_subjects.ts";
import { runGroups } from "./group_batch.ts";
import type { Actor } from "./rollout.ts";

const K = 4;
/** Successes of each context's four rollouts: none, some or all. */
const successes = [0, 2, 4, 1, 4, 0, 3, 2];
const contexts = successes.map((_, index) => ({ task: task.name, index }));

/** A world without physics: an action above 0.5 succeeds, one below -0.5 times out, others go on. */
function world(size: number): Lanes {
  const observation = {} as Observation;
  return {
    reset: (_lane: number, _task: string, _state: InitialState) => Promise.resolve(observation),
    step: (actions) =>
      Promise.resolve(
        actions.slice(0, size).map((action) =>
          action && {
            observation,
            success: action[0]! > 0.5,
            terminated: action[0]! > 0.5,
            truncated: action[0]! < -0.5,
          }
        ),
      ),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Ends an episode after a number of steps that differs from rollout to rollout. */
const actor: Actor = {
  begin: () => {},
  act: (lanes) =>
    Promise.resolve(lanes.map((lane) => {
      if (!lane) return undefined;
      const { state: { index }, noise } = lane.plan;
      const last = lane.t + 1 >= 1 + (index * 7 + noise * 5) % 6;
      return { action: new Float32Array(7).fill(!last ? 0 : noise < successes[index]! ? 1 : -1) };
    })),
};

function run(
  groups: number,
  { dynamic = true, lanes = 3, ...conditions }: Conditions & { dynamic?: boolean; lanes?: number } = {},
) {
  const { context, record } = bareContext(conditions);
  const done = runGroups(context, {
    pool: world(lanes),
    size: lanes,
    actor,
    observations: false,
    contexts,
    sampling: { groups, rollouts: K, dynamic },
    plan: (context, k) => ({ task, state: { split: "training", index: context.index }, noise: k }),
  });
  return { done, record };
}

const summary = (groups: Awaited<ReturnType<typeof run>["done"]>) =>
  groups.map(({ index, successes, kept, environmentSteps }) => [index, successes, kept, environmentSteps]);

Deno.test("runGroups() keeps contexts with both outcomes and counts those it rejected", async () => {
  const { done, record } = run(3);
  const groups = await done;
  assert.deepEqual(groups.map(({ index }) => index), [0, 1, 2, 3, 4, 5, 6], "up to the last one needed");
  assert.deepEqual(groups.filter(({ kept }) => kept).map(({ index }) => index), [1, 3, 6]);
  assert.deepEqual(groups.map((group) => group.successes), successes.slice(0, 7));
  const steps = groups.reduce((sum, { environmentSteps }) => sum + environmentSteps, 0);
  assert.equal(record.budget.environmentSteps, steps);
  for (const { episodes } of groups) assert.deepEqual(episodes.map(({ tags }) => tags.noise), [0, 1, 2, 3]);
});

Deno.test("which groups are kept depends on no lane", async () => {
  const wanted = summary(await run(3).done);
  for (const lanes of [1, 2, 5, 16]) {
    assert.deepEqual(summary(await run(3, { lanes }).done), wanted, `${lanes} lanes`);
  }
});

Deno.test("without dynamic sampling every group is kept", async () => {
  const groups = await run(3, { dynamic: false }).done;
  assert.deepEqual(groups.map(({ index, kept }) => [index, kept]), [[0, true], [1, true], [2, true]]);
});

Deno.test("contexts that end before enough groups were kept are named by how they starve", async () => {
  await assert.rejects(run(5).done, {
    message:
      `Cannot keep 5 groups of 4 rollouts: 4 of the 8 contexts tried had both outcomes, 2 always failed (` +
      `${task.name}/0, ${task.name}/5), 2 always succeeded (${task.name}/2, ${task.name}/4); ` +
      "allow more contexts or more rollouts each",
  });
});

Deno.test("an interrupted runGroups() resumes to the same groups and budget", async () => {
  const wanted = summary(await run(3).done);
  for (const interruptAt of [1, 5, 12]) {
    const stopped = run(3, { interruptAt });
    await assert.rejects(stopped.done, Interruption);
    const resumed = run(3, { checkpoint: stopped.record.checkpoints.at(-1) });
    assert.deepEqual(summary(await resumed.done), wanted, `interrupted at ${interruptAt}`);
  }
});
