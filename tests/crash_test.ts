import assert from "node:assert/strict";
import { crash } from "./crash.ts";

Deno.test("runs killed at random instants end in the same result with a clean store", async () => {
  const { kills, failures } = await crash({
    experiment: "tiny-walks",
    runs: 5,
    seed: 1,
    args: [
      "--experiments",
      "tests/lab_experiments/",
      "--set",
      "learner.steps=60",
      "--set",
      "learner.pauseMs=5",
    ],
    log: () => {},
  });
  assert.deepEqual(failures, []);
  assert.ok(kills >= 5, `only ${kills} kills hit a running process`);
});
