import assert from "node:assert/strict";
import type { Episode } from "../data/episode.ts";
import { features } from "../policies/features.ts";
import { recorded, task, tasks } from "../tests/tabletop_subjects.ts";
import { executedWindows } from "./executed_windows.ts";
import { observationAt } from "./recording.ts";

const HORIZON = 4, STRIDE = 3;
const worth = (episode: Episode, advantage: number): Episode => ({
  ...episode,
  tags: { ...episode.tags, advantage },
});

// Longer than several strides and ending within one; exactly two strides; shorter than the horizon.
const episodes = [
  worth(await recorded(8), 0.5),
  worth(await recorded(6, { index: 1 }), -0.25),
  worth(await recorded(2, { index: 2 }), 1),
];
const starts = [[0, 3, 6], [0, 3], [0]];
const rows = starts.flatMap((list, i) => list.map((t) => ({ episode: episodes[i]!, t })));

Deno.test("executedWindows() holds each executed chunk once, padded and masked past the end", () => {
  const cut = executedWindows(episodes, { order: tasks, horizon: HORIZON, stride: STRIDE });
  assert.deepEqual(cut.chunks.shape, [rows.length, HORIZON, 7]);
  rows.forEach(({ episode: { length, columns }, t }, row) => {
    const action = (at: number) => [...columns.action!.data.slice(7 * at, 7 * (at + 1))];
    const rest = [0, 0, 0, 0, 0, 0, action(length - 1)[6]!];
    const wanted = Array.from({ length: HORIZON }, (_, k) => t + k < length ? action(t + k) : rest);
    assert.deepEqual([...cut.chunks.data.slice(row * 28, (row + 1) * 28)], wanted.flat(), `row ${row}`);
    const weight = Array.from({ length: HORIZON }, (_, k) => Number(t + k < length));
    assert.deepEqual([...cut.weight.data.slice(row * HORIZON, (row + 1) * HORIZON)], weight, `row ${row}`);
  });
});

Deno.test("executedWindows() sees each window at its own start, not at the episode's", () => {
  const cut = executedWindows(episodes, { order: tasks, horizon: HORIZON, stride: STRIDE });
  rows.forEach(({ episode, t }, row) => {
    const seen = [...cut.features.data.slice(row * 20, (row + 1) * 20)];
    assert.deepEqual(seen, [...features(observationAt(episode, t), task)], `row ${row}`);
    if (t > 0) assert.notDeepEqual(seen, [...features(observationAt(episode, 0), task)]);
  });
});

Deno.test("every window of an episode has its advantage", () => {
  const { advantage } = executedWindows(episodes, { order: tasks, horizon: HORIZON, stride: STRIDE });
  assert.deepEqual([...advantage.data], [0.5, 0.5, 0.5, -0.25, -0.25, 1]);
});

Deno.test("a stride of 1 starts a window at every step", () => {
  const cut = executedWindows(episodes, { order: tasks, horizon: HORIZON, stride: 1 });
  assert.equal(cut.features.shape[0], 8 + 6 + 2);
  assert.deepEqual([...cut.weight.data.slice(5 * HORIZON, 8 * HORIZON)], [
    1,
    1,
    1,
    0,
    1,
    1,
    0,
    0,
    1,
    0,
    0,
    0,
  ]);
});

Deno.test("a horizon beyond every episode masks all that is not there", () => {
  const { weight } = executedWindows(episodes, { order: tasks, horizon: 50, stride: 50 });
  const sums = [0, 1, 2].map((row) => weight.data.slice(row * 50, (row + 1) * 50).reduce((a, b) => a + b, 0));
  assert.deepEqual(sums, [8, 6, 2]);
});

Deno.test("only the executed part of a chunk is learned from where its density counts, as it was drawn", () => {
  const drawn = episodes.map((episode) => {
    const base = { ...episode.columns.action!, data: episode.columns.action!.data.map((x) => 2 * x) };
    return { ...episode, columns: { ...episode.columns, base } };
  });
  const cut = executedWindows(drawn, {
    order: tasks,
    horizon: HORIZON,
    stride: STRIDE,
    learned: STRIDE,
    column: "base",
  });
  assert.deepEqual([...cut.weight.data], [
    1,
    1,
    1,
    0,
    1,
    1,
    1,
    0,
    1,
    1,
    0,
    0,
    1,
    1,
    1,
    0,
    1,
    1,
    1,
    0,
    1,
    1,
    0,
    0,
  ]);
  assert.equal(cut.chunks.data[0], Math.fround(2 * episodes[0]!.columns.action!.data[0]!));
});

Deno.test("executedWindows() says what it cannot cut", async () => {
  const options = { order: tasks, horizon: HORIZON, stride: STRIDE };
  assert.throws(() => executedWindows([], options), {
    message: "Cannot cut windows from no steps: give at least one episode",
  });
  const plain = await recorded(2);
  assert.throws(() => executedWindows([plain], options), {
    message: `Cannot cut windows from an episode of "${task.name}": it has no advantage`,
  });
  const { base: _, ...columns } = plain.columns;
  assert.throws(() => executedWindows([{ ...plain, columns }], { ...options, column: "base" }), {
    message: `Cannot cut windows from an episode of "${task.name}": it has no column "base"`,
  });
});
