import assert from "node:assert/strict";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import { Replay } from "./replay.ts";
import { decodeMixedSafetensors, decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

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

Deno.test("columns of bytes take a byte a number, give float32, and come back from a checkpoint", () => {
  const shapes = { image: [4, 8, 3], state: [2] };
  const image = (seed: number) => Uint8Array.from({ length: 96 }, (_, i) => (seed * 37 + i * 11) % 256);
  const replay = new Replay(3, shapes, { bytes: ["image"] });
  for (let i = 0; i < 5; i++) replay.add({ image: image(i), state: [i, -i] });
  assert.equal(replay.rows()["image"]!.data.byteLength, 3 * 96);
  const out = { image: ndarray([2, 2, 4, 8, 3]), state: ndarray([2, 2, 2]) };
  replay.gather([1, 0], out, 1);
  assert.deepEqual(out.image.data.slice(96, 192), Float32Array.from(image(4)));
  assert.deepEqual(out.image.data.slice(192, 288), Float32Array.from(image(3)));
  assert.deepEqual([...out.state.data], [0, 0, 4, -4, 3, -3, 0, 0]);

  const { tensors } = decodeMixedSafetensors(encodeSafetensors(replay.toTensors("online/")));
  const restored = Replay.fromTensors(tensors, "online/");
  for (const each of [replay, restored]) each.add({ image: [...image(9)], state: [9, 9] });
  assert.deepEqual(restored.toTensors(), replay.toTensors());

  for (const wrong of [256, -1, 0.5, NaN]) {
    assert.throws(() => replay.add({ image: [wrong, ...image(0).subarray(1)], state: [0, 0] }), {
      message: `Cannot add ${wrong} as "image"[0]: it must be an integer 0 ... 255`,
    });
  }
  assert.equal(replay.added, 6);
  assert.throws(() => new Replay(3, shapes, { bytes: ["picture"] }), {
    message: 'Cannot store bytes of "picture": the replay holds image, state',
  });
});
