import assert from "node:assert/strict";
import { features } from "../policies/features.ts";
import { recorded, task, tasks } from "../tests/tabletop_subjects.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import { observationAt } from "./recording.ts";
import { windows } from "./windows.ts";

const HORIZON = 4;

Deno.test("windows() holds the recorded actions, and past an episode's end the no-op with its last gripper", async () => {
  const episodes = [await recorded(6), await recorded(2, { index: 1 }), await recorded(1, { index: 2 })];
  const { features: seen, chunks } = windows(episodes, { order: tasks, horizon: HORIZON });
  assert.deepEqual(chunks.shape, [9, HORIZON, 7]);
  const wanted = episodes.flatMap(({ length, columns }) => {
    const action = (t: number) => [...columns.action!.data.slice(7 * t, 7 * (t + 1))];
    const rest = [0, 0, 0, 0, 0, 0, action(length - 1)[6]!];
    return Array.from(
      { length },
      (_, t) => Array.from({ length: HORIZON }, (_, k) => t + k < length ? action(t + k) : rest),
    );
  });
  assert.deepEqual([...chunks.data], wanted.flat(2));
  const observed = episodes.flatMap((episode) =>
    Array.from({ length: episode.length }, (_, t) => [...features(observationAt(episode, t), task)])
  );
  assert.deepEqual([...seen.data], observed.flat());
});

Deno.test("windows() of several tasks mark each window's own", async () => {
  const other = scenes[1]!.task.name;
  const order = [other, task.name];
  const { features: { shape, data } } = windows([await recorded(2), await recorded(1, { name: other })], {
    order,
    horizon: HORIZON,
  });
  assert.deepEqual(shape, [3, 22]);
  const marks = [0, 1, 2].map((row) => [...data.slice(22 * row + 20, 22 * (row + 1))]);
  assert.deepEqual(marks, [[0, 1], [0, 1], [1, 0]]);
});

Deno.test("windows() says what it cannot cut", async () => {
  const options = { order: tasks, horizon: HORIZON };
  assert.throws(() => windows([], options), {
    message: "Cannot cut windows from no steps: give at least one episode",
  });
  const episode = await recorded(2);
  const { action: _, ...columns } = episode.columns;
  assert.throws(() => windows([{ ...episode, columns }], options), {
    message: `Cannot cut windows from an episode of "${task.name}": it has no actions`,
  });
  assert.throws(() => windows([{ ...episode, task: "on_moon" }], { ...options, order: ["a", "b"] }), {
    message: /^Cannot mark task "on_moon" among a, b: /,
  });
});
