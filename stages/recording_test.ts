import assert from "node:assert/strict";
import { decodeEpisodes, encodeEpisodes } from "../data/episodes_arrow.ts";
import type { Observation } from "../envs/environment.ts";
import { openTabletop } from "../envs/tabletop.ts";
import { stream } from "../random.ts";
import { task } from "../tests/tabletop_subjects.ts";
import { observationAt, observationRow, Recording } from "./recording.ts";

/** An observation with every number rounded to float32, in which episodes are kept. */
function rounded({ gripper, objects, ...arrays }: Observation): Observation {
  const round = <T extends object>(record: T): T =>
    Object.fromEntries(
      Object.entries(record).map(([name, x]: [string, Float64Array]) => [name, x.map(Math.fround)]),
    ) as T;
  return {
    ...round(arrays),
    gripper: Math.fround(gripper),
    objects: Object.fromEntries(Object.entries(objects).map(([name, object]) => [name, round(object)])),
  };
}

async function played(length: number) {
  using environment = await openTabletop(task.name);
  const state = { split: "training", index: 4 } as const;
  const seen = [environment.reset(state)];
  const recording = new Recording({ task: environment.task, state, noise: 3, tags: { baseSteps: 2 } });
  for (let t = 0; t < length; t++) {
    const action = stream(2, "recording", t).fillUniform(new Float32Array(7), -1, 1);
    recording.add({ ...observationRow(seen[t]!), action });
    seen.push(environment.step(action).observation);
  }
  return { seen, recording };
}

Deno.test("observationAt() of a stored episode is the observation rounded to float32", async () => {
  const { seen, recording } = await played(5);
  const [episode] = decodeEpisodes(encodeEpisodes([recording.finish(true)]));
  assert.equal(Object.keys(seen[0]!.objects).length, task.objects.length);
  for (let t = 0; t < 5; t++) assert.deepEqual(observationAt(episode!, t), rounded(seen[t]!));
});

Deno.test("finish() keeps the plan and its tags, with all rows of every column", async () => {
  const { recording } = await played(3);
  const episode = recording.finish(false);
  const { columns, ...rest } = episode;
  assert.deepEqual(rest, {
    task: task.name,
    roles: task.roles,
    split: "training",
    index: 4,
    success: false,
    length: 3,
    tags: { noise: 3, baseSteps: 2 },
  });
  assert.deepEqual(columns.action!.shape, [3, 7]);
  for (const { shape } of Object.values(columns)) assert.equal(shape[0], 3);
});

Deno.test("observationAt() names what it cannot read", async () => {
  const { recording } = await played(3);
  const episode = recording.finish(true);
  for (const t of [-1, 3]) {
    assert.throws(() => observationAt(episode, t), {
      name: "RangeError",
      message: new RegExp(`step ${t} of`),
    });
  }
  const { rotation: _, ...columns } = episode.columns;
  assert.throws(() => observationAt({ ...episode, columns }, 1), {
    name: "RangeError",
    message: `Cannot read "rotation": the episode of "${task.name}" has no such column`,
  });
});
