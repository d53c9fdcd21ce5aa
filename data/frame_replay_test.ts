import assert from "node:assert/strict";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import { FrameReplay, frameReplayBytes } from "./frame_replay.ts";
import { Frames } from "./frames.ts";
import { Replay } from "./replay.ts";

const columns = { state: [2], nextState: [2], reward: [] };
const form = { columns, frame: [2, 3], storage: "halves" } as const;

/** Stores transitions 0, 1, ...; frame `id` holds id + 0.5. */
function fill(buffer: FrameReplay, transitions: number): void {
  const see = () => {
    const id = buffer.frames.reserve();
    buffer.frames.write(id, new Float32Array(6).fill(id + 0.5));
    return id;
  };
  let seen = see();
  for (let i = 0; i < transitions; i++) {
    const next = see();
    buffer.replay.add({ state: [i, seen], nextState: [i + 1, next], reward: [10 * i] });
    seen = next;
  }
}

function drawn(buffer: FrameReplay, count: number, offset = 0) {
  const rows = count + offset;
  const out = {
    state: ndarray([rows, 1]),
    reward: ndarray([rows]),
    frames: ndarray([rows, 2, 3]),
    nextFrames: ndarray([rows, 2, 3]),
  };
  buffer.sample(stream(1, "rows"), out, offset, count);
  return out;
}

Deno.test("sample() gives a transition the frames that it names, what it led to as the next one's", () => {
  const buffer = FrameReplay.empty(8, form);
  fill(buffer, 13);
  const { state, reward, frames, nextFrames } = drawn(buffer, 64, 3);
  assert.deepEqual([...state.data.slice(0, 3)], [0, 0, 0]);
  for (let row = 3; row < 67; row++) {
    const t = state.data[row]!;
    assert.ok(t >= 5 && t < 13);
    assert.equal(reward.data[row], 10 * t);
    assert.ok(frames.data.subarray(6 * row, 6 * row + 6).every((x) => x === t + 0.5));
    assert.ok(nextFrames.data.subarray(6 * row, 6 * row + 6).every((x) => x === t + 1.5));
  }
  assert.equal(new Set(state.data.slice(3)).size, 8);
});

Deno.test("transitions whose frames are gone are drawn no more", () => {
  const buffer = new FrameReplay(new Replay(8, columns), new Frames(4, [2, 3], "halves"));
  fill(buffer, 8);
  // Frames 0 ... 8 were added, 5 ... 8 are held: transitions 5, 6 and 7 have both of theirs.
  assert.deepEqual([...new Set(drawn(buffer, 50).state.data)].sort(), [5, 6, 7]);
  const none = new FrameReplay(new Replay(8, columns), new Frames(1, [2, 3], "halves"));
  fill(none, 2);
  assert.throws(() => drawn(none, 4), {
    message: "Cannot sample 4 rows of 2: not even the newest has its frame",
  });
});

Deno.test("halves keep eleven bits, bytes are whole numbers, and nothing else is stored", () => {
  const halves = new Frames(2, [2], "halves"), out = new Float32Array(2);
  halves.write(halves.reserve(), [1 / 3, 1000.3]);
  halves.gather([0], out);
  assert.deepEqual([...out], [0.333251953125, 1000.5]);
  assert.throws(() => halves.write(0, [1, 70_000]), {
    message: "Cannot write 70000 into frame 0: it must be within half precision, below 65520",
  });
  assert.throws(() => halves.write(0, [NaN, 0]), RangeError);
  const bytes = new Frames(2, [2], "bytes");
  bytes.reserve();
  assert.throws(() => bytes.write(0, [1.5, 2]), {
    message: "Cannot write 1.5 into frame 0: it must be an integer 0 ... 255",
  });
  assert.throws(() => bytes.write(1, [1, 2]), {
    message: "Cannot write frame 1: the ring does not hold it",
  });
  assert.throws(() => bytes.gather([3], out), {
    message: "Cannot gather frame 3: the ring does not hold it",
  });
});

Deno.test("frameReplayBytes() is what the arrays take", () => {
  const buffer = FrameReplay.empty(100, form);
  const rows = Object.values(buffer.replay.rows()).reduce((n, { data }) => n + data.buffer.byteLength, 0);
  assert.equal(frameReplayBytes(100, form), rows + buffer.frames.bytes);
  assert.equal(buffer.frames.bytes, 168 * 6 * 2);
});
