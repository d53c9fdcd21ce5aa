import assert from "node:assert/strict";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import type { Episode } from "./episode.ts";
import { decodeEpisodes, encodeEpisodes } from "./episodes_arrow.ts";

function episode(length: number, changes: Partial<Episode> = {}): Episode {
  const draws = stream(length, "episode");
  const random = (...shape: number[]) =>
    ndarray(shape, draws.fillNormal(new Float32Array(shape.reduce((a, b) => a * b))));
  return {
    task: `put the bowl on the plate ${length % 2}`,
    roles: { target: `bowl_${length % 2}`, goal: "plate" },
    split: "training",
    index: 7 * length,
    success: length % 2 === 0,
    length,
    columns: {
      action: random(length, 7),
      chunk: random(length, 2, 3),
      state: random(length + 1, 20), // observed once more
      value: random(length),
    },
    tags: { noise: length },
    ...changes,
  };
}

Deno.test("decodeEpisodes() gives back what encodeEpisodes() wrote", () => {
  const episodes = [
    episode(3),
    episode(1),
    episode(8, { split: "evaluation", tags: { base: 5, noise: NaN } }),
  ];
  assert.deepEqual(decodeEpisodes(encodeEpisodes(episodes)), episodes);
  assert.deepEqual(decodeEpisodes(encodeEpisodes([])), []);
});

Deno.test("decodeEpisodes() gives back episodes of which only some were observed once more", () => {
  const episodes = [episode(2), episode(2, { columns: { ...episode(2).columns, state: ndarray([2, 20]) } })];
  assert.deepEqual(decodeEpisodes(encodeEpisodes(episodes)), episodes);
});

Deno.test("encodeEpisodes() is blind to the order of keys and to what was encoded before", () => {
  const bytes = encodeEpisodes([episode(3), episode(4)]);
  const { chunk, ...rest } = episode(4).columns;
  assert.deepEqual(encodeEpisodes([episode(3), episode(4, { columns: { chunk: chunk!, ...rest } })]), bytes);
});

Deno.test("encodeEpisodes() refuses episodes that contradict themselves", () => {
  const refuse = (changes: Partial<Episode>, message: string) =>
    assert.throws(() => encodeEpisodes([episode(3), episode(3, changes)]), { message });
  refuse({ length: 0 }, "Cannot store episode 1 of 0 steps: the length must be a positive integer");
  refuse({ index: -1 }, "Cannot store episode 1 from initial state -1: it must be in 0 ... 2^31 - 1");
  refuse(
    { columns: { ...episode(3).columns, action: ndarray([5, 7]) } },
    'Cannot store column "action" of episode 1 with shape [5,7]: it must have 3 rows, or 4 with the last observation',
  );
  refuse(
    { columns: { ...episode(3).columns, action: ndarray([3, 6]) } },
    'Cannot store column "action" of episode 1 with shape [3,6]: its rows must be [7]',
  );
  refuse(
    { columns: { action: ndarray([3, 7]) } },
    "Cannot store episode 1 with columns action: episode 0 has action,chunk,state,value",
  );
  assert.throws(() => encodeEpisodes([episode(1, { columns: { step: ndarray([1]) } })]), {
    message: 'Cannot store a column "step": the name is the format\'s own',
  });
});

Deno.test("decodeEpisodes() refuses other tables", async () => {
  const { encodeTable } = await import("./table.ts");
  assert.throws(() => decodeEpisodes(encodeTable({ a: new Float64Array(1) })), {
    message: 'Cannot read the table as episodes: its schema must say format "uplift-episodes"',
  });
});
