import assert from "node:assert/strict";
import { describeProtocol, episodeSeed, protocols, stepBudget } from "./libero_protocols.ts";

Deno.test("stepBudget() has the published budgets of all suites, and the longest for a suite it does not know", () => {
  const suites = ["libero_spatial", "libero_object", "libero_goal", "libero_10", "libero_90"];
  const budgets = (name: keyof typeof protocols) => suites.map((suite) => stepBudget(protocols[name], suite));
  assert.deepEqual(budgets("openpi"), [220, 280, 300, 520, 400]);
  assert.deepEqual(budgets("vla-eval-0.4"), [220, 280, 300, 520, 400]);
  assert.deepEqual(budgets("lerobot-0.6"), [280, 280, 300, 520, 400]);
  assert.deepEqual(budgets("ours"), [220, 280, 300, 520, 400]);
  assert.equal(stepBudget(protocols.ours, "libero_mine"), 520);
});

// python3 -c 'import hashlib; print(int.from_bytes(hashlib.sha256(b"libero_spatial/a_task/evaluation/3").digest()[:4], "big") >> 1)'
Deno.test("episodeSeed() is the first 31 bits of the key's SHA-256", () => {
  const state = { split: "evaluation", index: 3 } as const;
  assert.equal(episodeSeed(protocols.ours, "libero_spatial", "a_task", state), 81250402);
});

Deno.test("episodeSeed() follows each protocol in evaluation and never repeats in training", () => {
  const evaluation = (index: number) => ({ split: "evaluation", index }) as const;
  assert.equal(episodeSeed(protocols.openpi, "s", "t", evaluation(3)), 7);
  assert.equal(episodeSeed(protocols["vla-eval-0.4"], "s", "t", evaluation(3)), 7);
  assert.equal(episodeSeed(protocols["lerobot-0.6"], "s", "t", evaluation(3)), 1003);
  for (const protocol of Object.values(protocols)) {
    const seeds = Array.from(
      { length: 200 },
      (_, index) => episodeSeed(protocol, "s", "t", { split: "training", index }),
    );
    assert.equal(new Set(seeds).size, seeds.length);
    assert.ok(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31));
  }
});

Deno.test("describeProtocol() says every number", () => {
  assert.equal(
    describeProtocol(protocols.openpi, "libero_goal", []),
    "LIBERO libero_goal, protocol openpi (openpi examples/libero/main.py): 300 steps, 10 settle steps before them, " +
      "50 trials a task, seed 7, set for every episode (openpi: once a task), replanning every 5 steps, " +
      "state-based observations (proprioception and object poses), no images",
  );
  assert.match(describeProtocol(protocols.ours, "mine", []), /520 steps \(the longest budget/);
  assert.match(
    describeProtocol(protocols["lerobot-0.6"], "mine", [{ name: "agentview", width: 360, height: 360 }]),
    /images of agentview \(360 x 360\) by osmesa/,
  );
});
