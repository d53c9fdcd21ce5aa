import assert from "node:assert/strict";
import { z } from "zod";
import { UsageError } from "./errors.ts";
import { experiment } from "./experiment.ts";
import { type Request, resolve } from "./overrides.ts";

const sample = experiment({
  name: "sample",
  version: 1,
  summary: "",
  seeds: [0],
  hyperparameters: z.strictObject({
    learner: z.strictObject({
      gamma: z.number().min(0).max(1).default(0.99),
      steps: z.int().min(1).default(100),
      layers: z.array(z.int()).default([256, 256]),
      norm: z.enum(["none", "layer"]).default("layer"),
      clip: z.number().nullable().default(null),
      dropout: z.boolean().default(false),
    }),
    tasks: z.string().default("all"),
  }),
  overrides: [{ path: "learner.gamma", value: 0.9, reason: "short episodes" }],
  presets: { smoke: { "learner.steps": 5, "learner.gamma": 0.5 } },
  graph: () => ({ evaluations: {} }),
});

const described = experiment({
  name: "described",
  version: 1,
  summary: "",
  seeds: [0],
  hyperparameters: z.strictObject({
    learner: z.strictObject({ gamma: z.number().min(0).max(1).default(0.99).describe("discount") })
      .prefault({}),
    norm: z.enum(["none", "layer"]).default("layer"),
    // Described before its default is given: the description still counts.
    steps: z.int().min(1).describe("gradient steps").default(9),
  }),
  presets: { smoke: {} },
  graph: () => ({ evaluations: {} }),
});

const ask = (request: Partial<Request>) => resolve(sample, { set: [], ...request });
const learner = (request: Partial<Request>) =>
  (ask(request).hyperparameters as { learner: Record<string, unknown> }).learner;

Deno.test("resolve() applies defaults < overrides < preset < params < set", () => {
  assert.equal(learner({}).steps, 100);
  assert.equal(learner({}).gamma, 0.9);
  assert.equal(learner({ preset: "smoke" }).gamma, 0.5);
  assert.equal(learner({ preset: "smoke", params: { learner: { gamma: 0.6 } } }).gamma, 0.6);
  assert.equal(
    learner({ preset: "smoke", params: { learner: { gamma: 0.6 } }, set: ["learner.gamma=0.7"] }).gamma,
    0.7,
  );
  assert.deepEqual(ask({ set: ["learner.gamma=0.7"] }).settings, [
    { path: "learner.gamma", value: 0.9, from: "experiment", reason: "short episodes" },
    { path: "learner.gamma", value: 0.7, from: "set" },
  ]);
});

Deno.test("resolve() lists what there is to set: path, allowed values, description, default", () => {
  const { parameters } = resolve(described, { set: [] });
  assert.deepEqual(parameters, [
    { path: "learner.gamma", allowed: "a number >= 0 and <= 1", description: "discount", default: 0.99 },
    { path: "norm", allowed: 'one of "none", "layer"', description: "", default: "layer" },
    { path: "steps", allowed: "an integer >= 1", description: "gradient steps", default: 9 },
  ]);
  const { parameters: none } = resolve({ ...described, hyperparameters: z.strictObject({}) }, { set: [] });
  assert.deepEqual(none, []);
});

Deno.test("resolve() reads --set texts as the schema's types", () => {
  const set = ["layers=[64]", "norm=none", "clip=0.5", "dropout=true", "steps=2_000"].map((s) =>
    `learner.${s}`
  );
  const { layers, norm, clip, dropout, steps } = learner({ set });
  assert.deepEqual([layers, norm, clip, dropout, steps], [[64], "none", 0.5, true, 2000]);
  assert.equal(learner({ set: ["learner.clip=1", "learner.clip=null"] }).clip, null);
  assert.equal((ask({ set: ["tasks=5"] }).hyperparameters as { tasks: string }).tasks, "5");
});

Deno.test("resolve() says in one line what is wrong, what is allowed and what is near", () => {
  const cases: [Partial<Request>, string][] = [
    [
      { set: ["learner.gama=0.9"] },
      'Cannot set learner.gama: there is no such hyperparameter, did you mean "learner.gamma"',
    ],
    [{ set: ["learner.gamma=two"] }, 'Cannot set learner.gamma to "two": expected a number >= 0 and <= 1'],
    [{ set: ["learner.gamma=2"] }, "Cannot set learner.gamma to 2: expected a number >= 0 and <= 1"],
    [{ set: ["learner.gamma="] }, 'Cannot set learner.gamma to "": expected a number >= 0 and <= 1'],
    [{ set: ["learner.steps=0.5"] }, "Cannot set learner.steps to 0.5: expected an integer >= 1"],
    [{ set: ["learner.norm=batch"] }, 'Cannot set learner.norm to "batch": expected one of "none", "layer"'],
    [{ set: ["learner.clip=x"] }, 'Cannot set learner.clip to "x": expected a number or null'],
    [{ set: ["learner.dropout=1"] }, 'Cannot set learner.dropout to "1": expected true or false'],
    [{ set: ["learner.layers=[1.5]"] }, "Cannot set learner.layers.0 to 1.5: expected an integer"],
    [{ set: ["gamma"] }, 'Cannot read --set "gamma": write it as path=value'],
    [
      { params: { learner: { gama: 1 } } },
      'Cannot set learner.gama: there is no such hyperparameter, did you mean "learner.gamma"',
    ],
    [{ params: { learner: 3 } }, "Cannot read parameters of learner: expected names and values"],
    [{ preset: "smok" }, 'Cannot find preset "smok" of sample, did you mean "smoke"'],
    [{ preset: "paper" }, 'Cannot find preset "paper" of sample; there is smoke'],
    [
      { set: ["momentum=0.9"] },
      "Cannot set momentum: there is no such hyperparameter; there are learner.*, tasks",
    ],
  ];
  for (const [request, message] of cases) {
    assert.throws(() => ask(request), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, message);
      return true;
    });
  }
  assert.throws(
    () => ask({ set: ["learner=1"] }),
    /Cannot set learner: it is a group, name one of learner\.gamma, /,
  );
});
