import assert from "node:assert/strict";
import { z } from "zod";
import { type AddStage, type Experiment, experiment, type Graph } from "./experiment.ts";
import { repository } from "./module_graph.ts";
import { plan } from "./plan.ts";
import { UsageError } from "./errors.ts";

const parameters = z.strictObject({ steps: z.int().min(1).default(10) });
const source = {
  entry: new URL("stages/source.ts", repository).href,
  inputs: {},
  outputs: { weights: "weights", episodes: "episodes" },
  parameters,
  run: () => Promise.resolve(),
} as const;
const measure = {
  entry: new URL("stages/measure.ts", repository).href,
  inputs: { weights: "weights", episodes: "episodes[]" },
  outputs: { evaluation: "evaluation" },
  parameters,
  run: () => Promise.resolve(),
} as const;

const sample = (graph: (stage: AddStage, scope: { seed: number }) => Graph, rest: Partial<Experiment> = {}) =>
  experiment({
    name: "sample",
    version: 1,
    summary: "",
    seeds: [3, 4],
    hyperparameters: z.strictObject({ steps: z.int().default(5) }),
    presets: { smoke: {} },
    graph,
    ...rest,
  });

const usual = (stage: AddStage, { seed }: { seed: number }): Graph => {
  const { weights, episodes } = stage(source, {}, { steps: 2 }, { name: "source" });
  const { evaluation } = stage(measure, { weights, episodes: [episodes] }, {}, {
    name: "measure",
    seed: 10 + seed,
  });
  return { evaluations: { before: evaluation } };
};

Deno.test("plan() lists stages with roles, defaults and seeds, as plain JSON", () => {
  const planned = plan(sample(usual), { set: [] });
  assert.deepEqual(planned.stages, [
    {
      name: "source",
      entry: "stages/source.ts",
      inputs: {},
      outputs: { weights: "weights", episodes: "episodes" },
      parameters: { steps: 2 },
      seed: 3,
    },
    {
      name: "measure",
      entry: "stages/measure.ts",
      inputs: {
        weights: { stage: "source", output: "weights" },
        episodes: [{ stage: "source", output: "episodes" }],
      },
      outputs: { evaluation: "evaluation" },
      parameters: { steps: 10 },
      seed: 13,
    },
  ]);
  assert.deepEqual(planned.evaluations, { before: { stage: "measure", output: "evaluation" } });
  assert.deepEqual(JSON.parse(JSON.stringify(planned)), planned);
});

Deno.test("plan() gives seeds of one question the same definition, other questions another", () => {
  const definition = (experiment: Experiment, seed?: number) =>
    plan(experiment, { set: [], ...(seed === undefined ? {} : { seed }) }).definition;
  const base = definition(sample(usual));
  assert.equal(definition(sample(usual), 4), base);
  assert.notEqual(definition(sample(usual, { version: 2 })), base);
  const other = sample((stage) => {
    stage(source, {}, { steps: 3 }, { name: "source" });
    return { evaluations: {} };
  });
  assert.notEqual(definition(other), base);
});

Deno.test("plan() carries further comparisons, as part of the definition, and refuses unknown labels", () => {
  const compared = (comparisons?: Graph["comparisons"]) =>
    plan(
      sample((stage, scope) => {
        const { before } = usual(stage, scope).evaluations;
        const evaluations = { before: before!, control: before!, after: before! };
        return { evaluations, ...(comparisons ? { comparisons } : {}) };
      }),
      { set: [] },
    );
  const pairs = [{ after: "after", before: "control" }];
  assert.deepEqual(compared(pairs).comparisons, pairs);
  assert.equal("comparisons" in compared(), false);
  assert.equal(compared([]).definition, compared().definition);
  assert.notEqual(compared(pairs).definition, compared().definition);
  assert.throws(() => compared([{ after: "aftr", before: "control" }]), {
    message: 'Cannot compare evaluation "aftr": the graph has before, control, after',
  });
  for (const before of ["after", "before"]) {
    assert.throws(() => compared([{ after: "after", before }]), {
      message:
        `Cannot compare "after" with "${before}" as a further pair: name two that are not compared anyway`,
    });
  }
});

Deno.test("plan() refuses graphs that are not well-formed", () => {
  const refuse = (build: (stage: AddStage) => unknown, message: RegExp) => {
    const graph = (stage: AddStage): Graph => {
      build(stage);
      return { evaluations: {} };
    };
    assert.throws(() => plan(sample(graph), { set: [] }), message);
  };
  refuse((stage) => {
    stage(source, {}, {}, { name: "a" });
    stage(source, {}, {}, { name: "a" });
  }, /Cannot add stage "a" twice: names are unique/);
  refuse(
    (stage) => stage(source, {}, { steps: 0 }, { name: "a" }),
    /Cannot add stage "a": parameter steps: /,
  );
  refuse((stage) => stage(source, {}, {}, { name: "a/b" }), /Cannot name a stage "a\/b"/);
  refuse((stage) => stage(source, {}, {}, { name: "a", seed: 0.5 }), /Cannot give stage "a" seed 0\.5/);
  refuse((stage) => {
    const { weights, episodes } = stage(source, {}, {}, { name: "a" });
    // @ts-expect-error weights are no episodes
    stage(measure, { weights, episodes: [weights] }, {}, { name: "b" });
    // @ts-expect-error a list of episodes is wanted
    stage(measure, { weights, episodes }, {}, { name: "c" });
    // @ts-expect-error an input is missing
    stage(measure, { weights }, {}, { name: "d" });
  }, /Cannot add stage "d": it needs an input "episodes"/);
});

Deno.test("plan() tells what a graph() throws as wrong use, in one line", () => {
  const refuse = (text: string, message: string) => {
    const graph = (): Graph => {
      throw new RangeError(text);
    };
    assert.throws(() => plan(sample(graph), { set: [] }), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, message);
      return true;
    });
  };
  refuse("lanes must divide 10.\nSee there", "Cannot plan sample: lanes must divide 10");
  refuse("Cannot use 3 lanes: they must divide 10", "Cannot use 3 lanes: they must divide 10");
});

Deno.test("experiment() refuses names, versions and seeds of another form", () => {
  assert.throws(() => sample(usual, { name: "My_Lab" }), /Cannot name an experiment "My_Lab"/);
  assert.throws(() => sample(usual, { version: 0 }), /Cannot give experiment "sample" version 0/);
  assert.throws(() => sample(usual, { seeds: [-1] }), /Cannot give experiment "sample" seeds \[-1\]/);
});
