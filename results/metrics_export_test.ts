import assert from "node:assert/strict";
import { encodeTable } from "../data/table.ts";
import type { Store } from "../lab/store.ts";
import type { Subject } from "../lab/subject.ts";
import { metricsFiles } from "./metrics_export.ts";

const TABLES: Record<string, Uint8Array> = {
  curve: encodeTable({
    environment_steps: Int32Array.of(0, 400),
    success: Float64Array.of(0.25, NaN),
    'a "b", c': Float64Array.of(1, 2),
    note: ["x", "y"],
  }),
  evaluation: encodeTable({
    task: ["reach", "reach"],
    index: Int32Array.of(0, 1),
    noise: Int32Array.of(0, 0),
    success: Uint8Array.of(1, 0),
    length: Int32Array.of(5, 9),
  }),
};
const store = { objects: { read: (digest: string) => TABLES[digest]! } } as unknown as Store;
const outputs = { curve: { digest: "curve" }, evaluation: { digest: "evaluation" } };
const subject = {
  label: "walks",
  result: "ab".repeat(32),
  plan: {
    experiment: "walks",
    version: 1,
    seed: 3,
    definition: "cd".repeat(32),
    hyperparameters: { gamma: 0.9 },
    evaluations: {
      after: { stage: "train", output: "evaluation" },
      later: { stage: "missing", output: "evaluation" },
    },
  },
  stages: [
    {
      stage: { name: "train", outputs: { curve: "metrics", evaluation: "evaluation" } },
      outcome: { outputs, created: "2026-11-21T12:00:00.000Z" },
    },
    { stage: { name: "missing", outputs: { curve: "metrics" } }, outcome: undefined },
  ],
} as unknown as Subject;

Deno.test("metricsFiles() gives tables by step as CSV, JSON and events; what was not measured is left out", () => {
  const files = metricsFiles([subject], store);
  const run = "walks-cdcdcdcdcdcd-seed3";
  assert.deepEqual([...files.keys()], [
    `${run}/train.curve.csv`,
    `${run}/train.curve/events.out.tfevents.1795262400.uplift`,
    "metrics.json",
  ]);
  const text = (path: string) => new TextDecoder().decode(files.get(path));
  assert.equal(
    text(`${run}/train.curve.csv`),
    '_step,environment_steps,success,"a ""b"", c"\n0,0,0.25,1\n400,400,,2\n',
  );
  const { runs: [found] } = JSON.parse(text("metrics.json"));
  assert.deepEqual(found.history, {
    "train.curve": [
      { _step: 0, environment_steps: 0, success: 0.25, 'a "b", c': 1 },
      { _step: 400, environment_steps: 400, 'a "b", c': 2 },
    ],
  });
  assert.deepEqual(Object.keys(found.summary), ["success/after"]);
  const { value, successes, episodes } = found.summary["success/after"];
  assert.deepEqual([value, successes, episodes], [0.5, 1, 2]);
  assert.deepEqual([found.config, found.seed, found.result], [{ gamma: 0.9 }, 3, subject.result]);
});
