import assert from "node:assert/strict";
import { rewardCodes } from "../data/chunk_transitions.ts";
import { recorded, tasks } from "../tests/tabletop_subjects.ts";
import { chunkScale } from "./chunk_data.ts";
import { chunkRows, seenIn } from "./chunk_rows.ts";

const form = { horizon: 4, gamma: 0.5, ...rewardCodes["-1/0"], ends: "padded" } as const;
const success = await recorded(10), failure = await recorded(10, { index: 1, success: false });
const view = { scale: chunkScale([success, failure], tasks), tasks };
const column = (rows: { readonly [name: string]: ArrayLike<number> }[], name: string) =>
  rows.map((row) => [...row[name] as Float32Array]);

Deno.test("chunkRows() of a success: every start sees the reward, and padding is learned and cloned", () => {
  const steps = seenIn(success, view), rows = [...chunkRows(success, steps, form)];
  assert.equal(rows.length, 10);
  // -1 - 1/2 - 1/4 - 1/8; the last step's reward is 0.
  assert.deepEqual(column(rows, "reward").flat(), [
    ...Array(6).fill(-1.875),
    -1.75,
    -1.5,
    -1,
    0,
  ]);
  assert.deepEqual(column(rows, "mask").flat(), [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
  assert.deepEqual(new Set(column(rows, "valid").flat()), new Set([1]));
  assert.deepEqual(new Set(column(rows, "weight").flat()), new Set([1]));
  const actions = success.columns.action!.data;
  assert.deepEqual([...rows[2]!.chunk as Float32Array], [...actions.subarray(14, 42)]);
  assert.equal(rows[2]!.nextState, steps[6]!.state);
  assert.equal(rows[2]!.nextFeatures, steps[6]!.features);
  assert.equal(rows[2]!.features, steps[2]!.features);
});

Deno.test("chunkRows() clones of dropped ends and of failures only steps that were taken", () => {
  const weights = [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]];
  const dropped = [...chunkRows(success, seenIn(success, view), { ...form, ends: "dropped" })];
  assert.deepEqual(column(dropped, "weight").slice(-4), weights);
  assert.deepEqual(column(dropped, "valid").flat(), [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  const failed = [...chunkRows(failure, seenIn(failure, view), form)];
  assert.deepEqual(column(failed, "weight").slice(-4), weights);
  assert.deepEqual(column(failed, "valid").flat(), [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
});

Deno.test("chunkRows() that know the state after the last action have one transition more", () => {
  const steps = seenIn(failure, view), last = steps[9]!;
  const rows = [...chunkRows(failure, [...steps, last], form)];
  assert.deepEqual(column(rows, "valid").flat(), [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  assert.equal(rows[6]!.nextState, last.state);
});
