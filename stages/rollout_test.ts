import assert from "node:assert/strict";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Episode } from "../data/episode.ts";
import { Pool } from "../envs/pool.ts";
import { stream } from "../random.ts";
import { digestOf } from "../tests/stage_context.ts";
import { task } from "../tests/tabletop_subjects.ts";
import { type Actor, type Lane, rollout, trainingSuccess } from "./rollout.ts";

/** Moves by the episode and the step alone. */
const wandering: Actor = {
  begin: () => {},
  act: (lanes) =>
    Promise.resolve(lanes.map((lane) =>
      lane && {
        action: stream(1, "wander", lane.plan.state.index, lane.t).fillUniform(new Float32Array(7), -1, 1),
        row: { moment: [lane.t] },
      }
    )),
};

async function played(size: number, workers: number): Promise<Episode[]> {
  await using pool = await Pool.open({ suite: "tabletop", lanes: size, workers });
  const episodes: Episode[] = [];
  const plan = (i: number) =>
    i < 4 ? { task, state: { split: "training", index: i } as const, noise: 0 } : undefined;
  for await (
    const { number, episode } of rollout({ pool, size, plan, actor: wandering, observations: true })
  ) {
    episodes[number] = episode;
  }
  return episodes;
}

Deno.test("an episode's bytes depend neither on the lanes nor on the workers", async () => {
  const one = await played(1, 1), wanted = digestOf(encodeEpisodes(one));
  assert.equal(one.length, 4);
  assert.deepEqual([...one[0]!.columns.moment!.data], [...Array(one[0]!.length).keys()]);
  assert.equal(digestOf(encodeEpisodes(await played(2, 2))), wanted);
  assert.equal(digestOf(encodeEpisodes(await played(5, 1))), wanted, "more lanes than episodes");
});

Deno.test("rollout() begins each episode once, in its lane, before its first action", async () => {
  await using pool = await Pool.open({ suite: "tabletop", lanes: 2, workers: 1 });
  const begun: Lane[] = [];
  const actor: Actor = {
    begin: (lane) => begun.push(lane),
    act: (lanes) => {
      for (const lane of lanes) assert.ok(!lane || begun.includes(lane));
      return wandering.act(lanes);
    },
  };
  const plan = (i: number) =>
    i < 3 ? { task, state: { split: "training", index: i } as const, noise: 0 } : undefined;
  for await (const _ of rollout({ pool, size: 2, plan, actor, observations: false }));
  assert.deepEqual(begun.map(({ plan: { state } }) => state.index), [0, 1, 2]);
  assert.deepEqual(begun.slice(0, 2).map(({ index }) => index), [0, 1]);
});

Deno.test("trainingSuccess() runs the asked number of training states, a million behind the learner's", async () => {
  await using pool = await Pool.open({ suite: "tabletop", lanes: 2, workers: 1 });
  const plans: unknown[] = [];
  const actor: Actor = { ...wandering, begin: ({ plan }) => plans.push([plan.state, plan.noise]) };
  const result = await trainingSuccess({ pool, lanes: 2, actor, task, first: 50, episodes: 3 });
  assert.deepEqual(result, { success: 0, environmentSteps: 3 * task.maxSteps });
  assert.deepEqual(plans, [0, 1, 2].map((i) => [{ split: "training", index: 1_000_050 + i }, 1]));
});
