import assert from "node:assert/strict";
import { returnToGo, rewards } from "./returns.ts";

Deno.test("returnToGo() discounts the last step's reward of a success", () => {
  assert.deepEqual([...returnToGo(4, true, 0.5, 10, 0)], [1.25, 2.5, 5, 10]);
  assert.deepEqual([...returnToGo(4, false, 0.5, 10, 0)], [0, 0, 0, 0]);
});

Deno.test("returnToGo() with scale 1 and bias -1 is the -1/0 reward's sum", () => {
  assert.deepEqual([...returnToGo(3, true, 1, 1, -1)], [-2, -1, 0]);
  assert.deepEqual([...returnToGo(3, false, 1, 1, -1)], [-3, -2, -1]);
});

Deno.test("returnToGo() is the discounted sum of rewards()", () => {
  const r = rewards(200, true, 7, -0.25);
  const g = returnToGo(200, true, 0.99, 7, -0.25);
  for (const t of [0, 57, 199]) {
    const sum = r.subarray(t).reduce((s, x, k) => s + x * 0.99 ** k, 0);
    assert.ok(Math.abs(g[t]! - sum) < 1e-5, `${g[t]} at ${t}, sum ${sum}`);
  }
});

Deno.test("returnToGo() refuses empty episodes and discounts above 1", () => {
  assert.throws(() => returnToGo(0, true, 0.9, 1, 0), {
    message: "Cannot sum the rewards of 0 steps: the length must be a positive integer",
  });
  assert.throws(() => returnToGo(3, true, 1.01, 1, 0), {
    message: "Cannot discount by gamma 1.01: it must be in [0, 1]",
  });
});
