import assert from "node:assert/strict";
import { Replay } from "../data/replay.ts";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import { batchSizes, fillHalves } from "./online_batches.ts";

const BATCH = 5, MINIBATCHES = 6; // [K, U, B] = [3, 2, 5]

/** A replay whose rewards are all `mark`, and whose states number its rows. */
function marked(mark: number, rows: number): Replay {
  const replay = new Replay(rows, { state: [2], reward: [], returnToGo: [] });
  for (let i = 0; i < rows; i++) replay.add({ state: [mark, i], reward: [mark], returnToGo: [0] });
  return replay;
}

function filled(offlineFraction: number) {
  const batches = {
    state: ndarray([3, 2, BATCH, 2]),
    reward: ndarray([3, 2, BATCH]),
    noise: ndarray([3, 7]),
  };
  fillHalves(batches, {
    offline: marked(1, 30),
    online: marked(2, 20),
    draw: stream(0, "halves"),
    batch: BATCH,
    offlineFraction,
  });
  return batches;
}

for (const [fraction, offline] of [[0, 0], [0.3, 2], [0.5, 3], [1, 5]] as const) {
  Deno.test(`fillHalves() gives each minibatch of 5 ${offline} offline rows for a share of ${fraction}`, () => {
    const { state, reward, noise } = filled(fraction);
    const one = Array.from({ length: BATCH }, (_, i) => i < offline ? 1 : 2);
    assert.deepEqual([...reward.data], Array(MINIBATCHES).fill(one).flat());
    reward.data.forEach((mark, row) => assert.equal(state.data[2 * row], mark));
    assert.ok(new Set(state.data.filter((_, i) => i % 2 === 1)).size > 8, "rows are drawn afresh");
    assert.ok(noise.data.every((x) => x === 0), "columns that are no transition's are left alone");
  });
}

Deno.test("batchSizes() spaces the calls so that each environment step has its updates", () => {
  const sizes = { iterations: 20, criticUpdates: 2, lanes: 8 };
  assert.deepEqual(batchSizes({ ...sizes, updatesPerStep: 1 }), { iterations: 20, interval: 40 });
  assert.deepEqual(batchSizes({ ...sizes, updatesPerStep: 0.5 }), { iterations: 20, interval: 80 });
});

Deno.test("batchSizes() refuses calls between two rounds of the lanes", () => {
  const sizes = { iterations: 3, criticUpdates: 2, updatesPerStep: 1, lanes: 4 };
  assert.throws(() => batchSizes(sizes), {
    message: "Cannot make 1 updates for each environment step in calls of 3 x 2: " +
      "that is a call every 6 steps, which must be a multiple of the 4 lanes",
  });
  assert.throws(() => batchSizes({ ...sizes, lanes: 1, updatesPerStep: 4 }), { message: /every 1.5 steps/ });
});
