import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { tensor2d, tensor3d } from "@tensorflow/tfjs-core";
import { stream } from "../random.ts";
import { assertClose, numbers } from "../tests/fixtures/numerics.ts";
import {
  assertSteering,
  chunkNoise,
  executedPart,
  noiseRows,
  spread,
  steeringNoise,
} from "./steering_noise.ts";

const form = (shape: string, rows: number | null = null) => steeringNoise.parse({ shape, rows });

/** The chunk noise [H, 2] of a w with rows of 2. */
function spreadOut(w: readonly number[], horizon: number): number[] {
  const out = new Float32Array(horizon * 2);
  spread(Float32Array.from(w), w.length / 2, horizon, out);
  return [...out];
}

Deno.test("noiseRows() is 1 repeated, the horizon in full, 2 knots unless more are asked for", () => {
  assert.deepEqual(
    [form("repeated"), form("full"), form("knots"), form("knots", 4)].map((f) => noiseRows(f, 16)),
    [1, 16, 2, 4],
  );
});

Deno.test("rows that do not fit, and queries beyond the chunk, are refused in one line", () => {
  const check = (shape: string, rows: number | null, execute = 8) => () =>
    assertSteering({ noise: form(shape, rows), horizon: 16, execute });
  assert.throws(check("full", 8), {
    message:
      "Cannot steer chunks of 16 actions with 8 rows of full noise: it must be the 16 rows of the horizon",
  });
  assert.throws(check("repeated", 2), { message: /with 2 rows of repeated noise: it must be 1 row$/ });
  assert.throws(check("knots", 17), { message: /with 17 rows of knots noise: it must be 2 \.\.\. 16 rows$/ });
  assert.throws(check("repeated", null, 17), {
    message: "Cannot query every 17 steps for chunks of 16 actions: it must be 1 ... 16",
  });
});

Deno.test("spread() repeats a row, copies a full w bit for bit, interpolates knots", () => {
  assert.deepEqual(spreadOut([1, -2], 3), [1, -2, 1, -2, 1, -2]);
  const full = [...stream(1, "w").fillNormal(new Float32Array(32))];
  full[3] = -0;
  assert.deepEqual(spreadOut(full, 16), full);
  assertClose(spreadOut([0, 10, 4, 30], 5), [0, 10, 1, 15, 2, 20, 3, 25, 4, 30], 1e-6, "two knots");
  assertClose(spreadOut([0, 0, 1, 2, 0, 0], 5), [0, 0, 0.5, 1, 1, 2, 0.5, 1, 0, 0], 1e-6, "three knots");
});

Deno.test("chunkNoise() is spread() of every row of a batch", () => {
  for (const rows of [1, 2, 3, 5]) {
    const w = stream(2, "w", rows).fillNormal(new Float32Array(3 * rows * 2));
    const wanted = [0, 1, 2].flatMap((i) => spreadOut([...w.slice(i * rows * 2, (i + 1) * rows * 2)], 5));
    const chunk = chunkNoise(tensor2d(w, [3, rows * 2]), rows, 5);
    assert.deepEqual(chunk.shape, [3, 5, 2]);
    assertClose(numbers(chunk), wanted, 1e-6, `${rows} rows`);
  }
});

Deno.test("executedPart() is the head of each chunk", () => {
  const chunks = tensor3d([[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]]);
  assert.deepEqual(numbers(executedPart(chunks, 2)), [1, 2, 3, 4, 7, 8, 9, 10]);
});
