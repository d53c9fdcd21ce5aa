import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { tensor1d } from "@tensorflow/tfjs-core";
import { scalar, type Tensors } from "../ndarray.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import { adamW, clipByGlobalNorm, initializeAdamW, polyak } from "./optimizer.ts";
import { part } from "./weights.ts";

const fixture = readFixture("optimizer");

Deno.test("adamW() after clipByGlobalNorm() takes the steps of torch.optim.AdamW after clip_grad_norm_", () => {
  const number = (name: string) => fixture["settings"]![name]!.data[0]!;
  const settings = { learningRate: number("learningRate"), weightDecay: number("weightDecay") };
  const start = Object.fromEntries(
    Object.entries(fixture["start"]!).map(([name, x]) => [name, { ...x, data: Float32Array.from(x.data) }]),
  ) as Tensors;
  let state = { ...eager(start), ...eager(initializeAdamW(start, "net")) };
  for (let step = 0; step < 5; step++) {
    const of = (group: string) =>
      Object.fromEntries(
        Object.entries(part(fixture[group]!, String(step))).map(([name, x]) => [name.slice(2), x]),
      );
    const { gradients, norm } = clipByGlobalNorm(eager(of("gradients")), number("clipNorm"));
    assertClose(numbers(norm), fixture["norms"]![step]!.data, 1e-6, `norm ${step}`);
    state = { ...state, ...adamW(state, "net", gradients, settings) };
    assertAllClose(part(state, "net"), of("states"), 1e-6);
  }
});

Deno.test("clipByGlobalNorm() leaves gradients below the bound as they are", () => {
  const { gradients, norm } = clipByGlobalNorm({ a: tensor1d([0.3]), b: tensor1d([0.4]) }, 1);
  assertClose(numbers(norm), [0.5], 1e-6, "norm");
  assert.deepEqual(numbers(gradients["a"]!), [Math.fround(0.3)]);
});

Deno.test("adamW() moves only the parameters of its group", () => {
  const start = { "a/w": scalar(1), "ab/w": scalar(1) };
  const state = { ...eager(start), ...eager(initializeAdamW(start, "a")) };
  const next = adamW(state, "a", { "a/w": state["a/w"]! }, { learningRate: 0.1, weightDecay: 0 });
  assert.deepEqual(Object.keys(next).filter((name) => !name.startsWith("adamw/")), ["a/w"]);
  assert.deepEqual(Object.keys(next).sort(), Object.keys(state).filter((name) => name !== "ab/w").sort());
});

Deno.test("polyak() moves the target by tau", () => {
  const state = { "critic/w": tensor1d([4]), "target/w": tensor1d([2]) };
  assertClose(numbers(polyak(state, "critic", "target", 0.25)["target/w"]!), [2.5], 1e-6, "target");
});
