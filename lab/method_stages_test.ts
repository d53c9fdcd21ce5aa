import assert from "node:assert/strict";
import { z } from "zod";
import { type AddStage, experiment, type Graph } from "./experiment.ts";
import { methodStages } from "./method_stages.ts";
import { repository } from "./module_graph.ts";
import { plan } from "./plan.ts";

const module = <const I, const O>(name: string, inputs: I, outputs: O) => ({
  entry: new URL(`stages/${name}.ts`, repository).href,
  inputs,
  outputs,
  parameters: z.strictObject({ n: z.int().default(0) }),
  run: () => Promise.resolve(),
});
const clone = module("clone", {}, { weights: "weights" });
const collect = module("collect", { weights: "weights" }, { episodes: "episodes" });
const train = module("train", { weights: "weights", episodes: "episodes" }, {
  weights: "weights",
  curve: "metrics",
});
const measure = module("measure", { weights: "weights" }, { evaluation: "evaluation", scores: "metrics" });

const sample = (methods: (curve: { stage: string; output: string; kind: "metrics" }) => Graph["methods"]) =>
  experiment({
    name: "sample",
    version: 1,
    summary: "",
    seeds: [0],
    hyperparameters: z.strictObject({}),
    presets: { smoke: {} },
    graph(stage: AddStage): Graph {
      const base = stage(clone, {}, {}, { name: "base" });
      const evaluate = (name: string, { weights }: Pick<typeof base, "weights">) =>
        stage(measure, { weights }, {}, { name: `evaluate.${name}` });
      const before = evaluate("base", base);
      const { episodes } = stage(collect, base, {}, { name: "rollouts" });
      const first = stage(train, { ...base, episodes }, {}, { name: "first" });
      // The second round learns from what the first one collects; the other method shares the rollouts.
      const again = stage(collect, first, {}, { name: "rollouts.round2" });
      const second = stage(train, { weights: first.weights, episodes: again.episodes }, {}, {
        name: "second",
      });
      const other = stage(train, { ...base, episodes }, { n: 1 }, { name: "other" });
      const evaluations = {
        base: before.evaluation,
        rounds: evaluate("rounds", second).evaluation,
        other: evaluate("other", other).evaluation,
      };
      return { evaluations, methods: methods(second.curve)! };
    },
  });

Deno.test("methodStages() counts what a method needs beyond the first policy, without evaluations", () => {
  const planned = plan(
    sample((curve) => [{ label: "rounds", progress: [curve] }, { label: "other", progress: [] }]),
    { set: [] },
  );
  assert.deepEqual(planned.methods![0], {
    label: "rounds",
    progress: [{ stage: "second", output: "curve" }],
  });
  const read = ({ stage, output }: { stage: string; output: string }) =>
    new TextEncoder().encode(`${stage}/${output}`);
  assert.deepEqual(methodStages(planned, read), [
    {
      label: "rounds",
      stages: ["rollouts", "first", "rollouts.round2", "second"],
      collecting: ["rollouts", "rollouts.round2"],
      progress: [{
        stage: "second",
        before: ["rollouts", "first", "rollouts.round2"],
        table: new TextEncoder().encode("second/curve"),
      }],
    },
    { label: "other", stages: ["rollouts", "other"], collecting: ["rollouts"], progress: [] },
  ]);
});

Deno.test("plan() carries methods as part of the definition, and refuses labels that are not there", () => {
  const planned = (methods: Graph["methods"]) => plan(sample(() => methods), { set: [] });
  const none = planned([]);
  assert.equal("methods" in none, false);
  assert.deepEqual(methodStages(none, () => new Uint8Array()), []);
  assert.notEqual(planned([{ label: "other", progress: [] }]).definition, none.definition);
  for (const label of ["base", "nobody"]) {
    assert.throws(() => planned([{ label, progress: [] }]), {
      message: `Cannot set method "${label}" beside "base": the graph has rounds, other`,
    });
  }
});
