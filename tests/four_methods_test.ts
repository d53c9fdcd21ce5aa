/** Four methods on one base: what they share is planned once, and each is given the same budget of environment steps. */
import assert from "node:assert/strict";
import type { Experiment } from "../lab/experiment.ts";
import { plan } from "../lab/plan.ts";
import bestOfNTabletop from "../experiments/best_of_n_tabletop.ts";
import dsrlNaTabletop from "../experiments/dsrl_na_tabletop.ts";
import dsrlTabletop from "../experiments/dsrl_tabletop.ts";
import fourMethodsTabletop from "../experiments/four_methods_tabletop.ts";
import pldTabletop from "../experiments/pld_tabletop.ts";
import { methodStages } from "../lab/method_stages.ts";

const planOf = (experiment: unknown, ...set: string[]) => plan(experiment as Experiment, { set });
const whole = planOf(fourMethodsTabletop);
const stageOf = ({ stages }: ReturnType<typeof planOf>, name: string) =>
  stages.find((stage) => stage.name === name)!;
// deno-lint-ignore no-explicit-any -- each stage has parameters of its own
const parametersOf = (made: ReturnType<typeof planOf>, name: string) => stageOf(made, name).parameters as any;

Deno.test("the plan computes nothing twice: no two stages have the same module, inputs, parameters and seed", () => {
  const seen = whole.stages.map(({ name: _, ...stage }) => JSON.stringify(stage));
  assert.equal(new Set(seen).size, seen.length);
  for (const module of ["demonstrate", "clone"]) {
    assert.equal(whole.stages.filter(({ entry }) => entry === `stages/${module}.ts`).length, 1, module);
  }
});

Deno.test("all methods start from the one base, which is that of the other experiments", () => {
  const methods = methodStages(whole, () => new Uint8Array());
  assert.deepEqual(methods.map(({ label }) => label), ["pld", "dsrl-sac", "cfg-flow", "chunk-rl"]);
  for (const { label, stages } of methods) {
    const bases = stages.flatMap((name) => {
      const { weights } = stageOf(whole, name).inputs;
      return weights && "stage" in weights && !stages.includes(weights.stage) ? [weights.stage] : [];
    });
    assert.deepEqual([...new Set(bases)], ["base"], label);
  }
  for (const other of [pldTabletop, dsrlTabletop, bestOfNTabletop]) {
    const theirs = planOf(other);
    for (const name of ["demonstrations", "base", "evaluate.base"]) {
      assert.deepEqual(stageOf(whole, name), stageOf(theirs, name), `${theirs.experiment}/${name}`);
    }
  }
  const [pld, equal] = [planOf(pldTabletop), planOf(fourMethodsTabletop, "budget=85000")];
  for (const name of ["offline", "critic", "specialist", "evaluate.specialist"]) {
    assert.deepEqual(stageOf(equal, name), stageOf(pld, name), name);
  }
});

Deno.test("every policy is evaluated on the same held-out episodes", () => {
  const evaluated = whole.stages.filter(({ name }) => name.startsWith("evaluate."));
  const protocols = evaluated.map(({ parameters, seed }) => {
    const { world, tasks, states, noises, execute, lanes } = parameters as Record<string, unknown>;
    return JSON.stringify({ world, tasks, states, noises, execute, lanes, seed });
  });
  assert.equal(new Set(protocols).size, 1);
  const ends = Object.values(whole.evaluations).map(({ stage }) => stage);
  assert.ok(ends.every((name) => /^(evaluate|choose)\./.test(name)), ends.join());
});

Deno.test("the budget is that of every method: online steps, and episodes of rollouts", () => {
  for (const budget of [75_000, 40_000]) {
    const made = planOf(fourMethodsTabletop, `budget=${budget}`, "episodeSteps=100");
    assert.equal(parametersOf(made, "dsrl").online.steps, budget);
    assert.equal(parametersOf(made, "specialist").online.steps, budget - 15_000);
    const sum = (names: readonly string[], of: (name: string) => number) =>
      names.reduce((total, name) => total + of(name), 0);
    const rounds = (name: string) => [name, `${name}.round2`, `${name}.round3`];
    const grouped = sum(rounds("groups"), (name) => {
      const { attempts, rollouts } = parametersOf(made, name).sampling;
      return attempts * rollouts;
    });
    const chunked = sum(rounds("rollouts"), (name) => parametersOf(made, name).episodes);
    for (const episodes of [grouped, chunked]) {
      assert.ok(episodes <= budget / 100 && episodes > budget / 100 - 3 * 8, `${episodes} episodes`);
    }
  }
});

Deno.test("nobody learns from the training states that guidances and curves are scored on", () => {
  const scored = whole.stages.filter(({ name }) => name.startsWith("score."));
  const firsts = new Set(scored.map(({ parameters }) => (parameters as { first: number }).first));
  assert.deepEqual([...firsts], [30_000_000]);
  for (const { name, parameters } of whole.stages) {
    const { first, states, episodes, sampling, online } = parameters as {
      first?: number;
      states?: number;
      episodes?: number;
      sampling?: { contexts: number };
      online?: { steps: number };
    };
    if (first === undefined || states !== undefined) continue;
    const end = first + (online ? 2_000_000 : sampling?.contexts ?? 20 * episodes!);
    assert.ok(end <= 30_000_000 || first >= 31_000_000, name);
  }
});

Deno.test("a round of chunk-level RL acts with the last one's policy and critic, and learns from all so far", () => {
  const stages = (edges: unknown) => (edges as readonly { stage: string }[]).map(({ stage }) => stage);
  const { weights, critic } = stageOf(whole, "rollouts.round2").inputs;
  assert.deepEqual([weights, critic], [
    { stage: "weighted", output: "weights" },
    { stage: "chunk-critic", output: "weights" },
  ]);
  const all = ["rollouts", "rollouts.round2", "rollouts.round3"];
  for (const name of ["chunk-critic.round3", "weights.round3", "weighted.round3"]) {
    assert.deepEqual(stages(stageOf(whole, name).inputs.episodes), all, name);
  }
  assert.deepEqual(stageOf(whole, "weighted.round3").inputs.weights, { stage: "base", output: "weights" });
  assert.equal(planOf(fourMethodsTabletop, "chunkRl.rounds=1").methods![3]!.progress.length, 2);
});

Deno.test("DSRL-NA takes the place of DSRL-SAC by a parameter, by the stage of dsrl-na-tabletop", () => {
  const made = planOf(fourMethodsTabletop, "dsrl.variant=na", "budget=80000");
  assert.deepEqual(Object.keys(made.evaluations).slice(0, 3), ["base", "pld", "dsrl-na"]);
  assert.deepEqual(stageOf(made, "dsrl-na"), stageOf(planOf(dsrlNaTabletop), "dsrl-na"));
  assert.equal(stageOf(made, "dsrl"), undefined);
});

for (
  const [set, message] of [
    ["budget=15000", /^Cannot learn online within 15000 environment steps of which 15000 are offline: /],
    ["cfgFlow.rounds=20", undefined],
    ["cfgFlow.sampling.rollouts=256", /^Cannot try groups of 256 in 3 rounds of 576 episodes in all: /],
    [
      "chunkRl.learner.horizon=4",
      /^Cannot learn a critic on chunks of 4 actions where the base executes 8: /,
    ],
  ] as const
) {
  Deno.test(`${set} ${message ? "is refused in one line before anything runs" : "is planned"}`, () => {
    if (!message) assert.ok(planOf(fourMethodsTabletop, set).stages.length > whole.stages.length);
    else {
      assert.throws(() => planOf(fourMethodsTabletop, set), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(!error.message.includes("\n"), error.message);
        return true;
      });
    }
  });
}
