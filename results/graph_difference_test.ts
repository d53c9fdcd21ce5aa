import assert from "node:assert/strict";
import type { Plan, PlannedStage } from "../lab/plan.ts";
import { graphDifference, valueDifferences } from "./graph_difference.ts";

const stage = (name: string, rest: Partial<PlannedStage> = {}): PlannedStage => ({
  name,
  entry: "stages/walk.ts",
  inputs: {},
  outputs: {},
  parameters: {},
  seed: 0,
  ...rest,
});
const plan = (rest: Partial<Plan>) =>
  ({ hyperparameters: {}, stages: [], evaluations: {}, curves: {}, seed: 0, ...rest }) as unknown as Plan;

Deno.test("valueDifferences() goes into groups that one side lacks; lists are one value", () => {
  assert.deepEqual(valueDifferences({ a: { x: 1, y: [1] }, b: 2 }, { a: { x: 1, y: [2] }, c: { d: null } }), [
    { path: "a.y", a: [1], b: [2] },
    { path: "b", a: 2 },
    { path: "c.d", b: null },
  ]);
});

Deno.test("graphDifference() tells added, removed and rewired stages and results", () => {
  const edge = (stage: string) => ({ stage, output: "path" });
  const a = plan({
    stages: [stage("left"), stage("end", { inputs: { paths: [edge("left")], scale: edge("left") } })],
    evaluations: { before: edge("left") },
  });
  const b = plan({
    stages: [
      stage("right"),
      stage("end", { entry: "stages/run.ts", inputs: { paths: [edge("right")], scale: edge("left") } }),
    ],
    evaluations: { before: edge("right") },
  });
  assert.deepEqual(graphDifference(a, b), {
    added: [{ name: "right", entry: "stages/walk.ts" }],
    removed: [{ name: "left", entry: "stages/walk.ts" }],
    rewired: [
      { stage: "end", role: "module", a: "stages/walk.ts", b: "stages/run.ts" },
      { stage: "end", role: "paths", a: "left/path", b: "right/path" },
      { stage: "evaluations", role: "before", a: "left/path", b: "right/path" },
    ],
    parameters: [],
  });
});

Deno.test("graphDifference() tells a parameter only where no hyperparameter explains it", () => {
  const [a, b] = [1, 2].map((n) =>
    plan({
      hyperparameters: { learner: { steps: n } },
      stages: [stage("walk", { parameters: { steps: n, first: 10 * n } })],
    })
  );
  assert.deepEqual(graphDifference(a!, b!).parameters, [{ stage: "walk", path: "first", a: 10, b: 20 }]);
});
