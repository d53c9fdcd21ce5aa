import assert from "node:assert/strict";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import { Replay } from "./replay.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const shapes = { state: [2], reward: [] };

function filled(capacity: number, rows: number): Replay {
  const replay = new Replay(capacity, shapes);
  for (let i = 0; i < rows; i++) replay.add({ state: [i, -i], reward: [10 * i] });
  return replay;
}

Deno.test("Replay keeps the newest rows", () => {
  const replay = filled(3, 5);
  assert.equal(replay.size, 3);
  assert.equal(replay.added, 5);
  assert.deepEqual([...replay.rows()["reward"]!.data], [30, 40, 20]);
});

Deno.test("gather() writes rows at an offset and only the columns asked for", () => {
  const out = { state: ndarray([2, 2, 2]) };
  filled(4, 4).gather([3, 1], out, 1);
  assert.deepEqual([...out.state.data], [0, 0, 3, -3, 1, -1, 0, 0]);
});

Deno.test("sample() draws equal rows for all columns, from a stream that can be continued", () => {
  const replay = filled(50, 30);
  const out = { state: ndarray([64, 2]), reward: ndarray([64]) };
  const draws = stream(1, "replay");
  replay.sample(draws, out, 0, 32);
  replay.sample(draws, out, 32, 32);
  out.reward.data.forEach((reward, i) => assert.equal(reward, 10 * out.state.data[2 * i]!));
  const whole = { reward: ndarray([64]) };
  replay.sample(stream(1, "replay"), whole, 0, 64);
  assert.deepEqual(whole.reward.data, out.reward.data);
  assert.ok(new Set(whole.reward.data).size > 20 && Math.max(...whole.reward.data) <= 290);
});

Deno.test("fromTensors() goes on as the stored replay would, after a safetensors round trip", () => {
  const replay = filled(3, 5);
  const { tensors } = decodeSafetensors(encodeSafetensors(replay.toTensors("online/")));
  const restored = Replay.fromTensors({ ...tensors, other: ndarray([1]) }, "online/");
  for (const each of [replay, restored]) each.add({ state: [9, 9], reward: [9] });
  assert.deepEqual(restored.toTensors(), replay.toTensors());
  assert.equal(restored.capacity, 3);
  assert.equal(restored.added, 6);
});

Deno.test("Replay refuses rows that do not fit and stays as it was", () => {
  const replay = filled(3, 1);
  const refuse = (row: Record<string, number[]>, message: string) => {
    assert.throws(() => replay.add(row), { message });
    assert.equal(replay.added, 1);
  };
  refuse({ state: [1, 2] }, 'Cannot add no numbers as "reward": a row has 1');
  refuse({ state: [1], reward: [0] }, 'Cannot add 1 numbers as "state": a row has 2');
  refuse({ state: [1, 2], reward: [0], done: [0] }, 'Cannot add "done": the replay holds state, reward');
  refuse({ state: [1, NaN], reward: [0] }, 'Cannot add NaN as "state"[1]: it must be a finite float32');
});

Deno.test("Replay refuses targets that do not fit", () => {
  const replay = filled(3, 2);
  assert.throws(() => replay.gather([0, 2], { reward: ndarray([2]) }), {
    message: "Cannot gather row 2: the replay holds 2",
  });
  assert.throws(() => replay.gather([0, 1], { reward: ndarray([2]) }, 1), {
    message: 'Cannot gather 2 rows of "reward" at row 1: the target [2] has 2 rows',
  });
  assert.throws(() => replay.gather([0], { noise: ndarray([2]) }), {
    message: 'Cannot gather "noise": the replay holds state, reward',
  });
  assert.throws(() => new Replay(3, shapes).sample(stream(0), { reward: ndarray([2]) }, 0, 2), {
    message: "Cannot sample 2 rows: the replay is empty",
  });
  assert.throws(() => Replay.fromTensors({}), {
    message: 'Cannot restore a replay: "counters" must be a tensor [2, 2]',
  });
});
