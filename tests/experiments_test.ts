/** What every experiment of the house owes: plans under all presets, stages that share code only where they mean to. */
import assert from "node:assert/strict";
import type { Experiment } from "../lab/experiment.ts";
import { plan } from "../lab/plan.ts";
import awrTabletop from "../experiments/awr_tabletop.ts";
import bestOfNTabletop from "../experiments/best_of_n_tabletop.ts";
import cfgFlowLiberoPi0 from "../experiments/cfg_flow_libero_pi0.ts";
import cfgFlowLiberoSpatial from "../experiments/cfg_flow_libero_spatial.ts";
import cfgFlowTabletop from "../experiments/cfg_flow_tabletop.ts";
import chunkBriefTabletop from "../experiments/chunk_brief_tabletop.ts";
import chunkRlLiberoPi05 from "../experiments/chunk_rl_libero_pi05.ts";
import chunkRlLiberoSpatial from "../experiments/chunk_rl_libero_spatial.ts";
import chunkRlTabletop from "../experiments/chunk_rl_tabletop.ts";
import dsrlAloha from "../experiments/dsrl_aloha.ts";
import dsrlLibero9057 from "../experiments/dsrl_libero_90_57.ts";
import dsrlLiberoPi0 from "../experiments/dsrl_libero_pi0.ts";
import dsrlNaTabletop from "../experiments/dsrl_na_tabletop.ts";
import dsrlTabletop from "../experiments/dsrl_tabletop.ts";
import evalLibero from "../experiments/eval_libero.ts";
import fourMethodsTabletop from "../experiments/four_methods_tabletop.ts";
import pldLiberoGoalPi05 from "../experiments/pld_libero_goal_pi05.ts";
import pldTabletop from "../experiments/pld_tabletop.ts";
import pldTabletopSuite from "../experiments/pld_tabletop_suite.ts";
import qcTabletop from "../experiments/qc_tabletop.ts";
import riptLaplaceTabletop from "../experiments/ript_laplace_tabletop.ts";
import sacTabletop from "../experiments/sac_tabletop.ts";
import { exp, type RunDocument, states, temporary } from "./lab_command.ts";

const experiments = [
  pldTabletop,
  pldTabletopSuite,
  pldLiberoGoalPi05,
  sacTabletop,
  awrTabletop,
  bestOfNTabletop,
  chunkBriefTabletop,
  chunkRlLiberoPi05,
  chunkRlLiberoSpatial,
  chunkRlTabletop,
  cfgFlowLiberoPi0,
  cfgFlowLiberoSpatial,
  cfgFlowTabletop,
  riptLaplaceTabletop,
  dsrlTabletop,
  dsrlNaTabletop,
  dsrlAloha,
  dsrlLibero9057,
  dsrlLiberoPi0,
  evalLibero,
  fourMethodsTabletop,
  qcTabletop,
] as unknown as Experiment[];

for (const experiment of experiments) {
  for (const preset of [undefined, ...Object.keys(experiment.presets)]) {
    Deno.test(`${experiment.name} plans under ${preset ? `preset ${preset}` : "its defaults"}`, () => {
      const { stages, evaluations } = plan(experiment, { set: [], ...(preset ? { preset } : {}) });
      assert.ok(stages.length > 4);
      assert.equal(Object.keys(evaluations)[0], experiment.name.startsWith("eval-") ? "policy" : "base");
      const made = new Set<string>();
      for (const { name, inputs } of stages) {
        for (const edge of Object.values(inputs).flat()) {
          assert.ok("given" in edge || made.has(edge.stage), `${name} before ${JSON.stringify(edge)}`);
        }
        made.add(name);
      }
    });
  }
}

/** Training states [first, first + attempts) of each stage of a plan that acts, and of a learner's evaluations. */
function trainingStates(request: Parameters<typeof plan>[1]): Map<string, readonly [number, number]> {
  const ranges = new Map<string, readonly [number, number]>();
  for (const { name, parameters } of plan(pldTabletop as unknown as Experiment, request).stages) {
    const p = parameters as {
      first?: number;
      attempts?: number;
      episodes?: number;
      online?: { steps: number };
    };
    if (p.first === undefined) continue;
    // A learner starts at most one episode a step; its evaluations start 1,000,000 later.
    const count = p.attempts ?? (p.online ? p.online.steps : 4 * p.episodes! + 20);
    ranges.set(name, [p.first, p.first + count]);
    if (p.online) ranges.set(`${name} (evaluations)`, [p.first + 1_000_000, p.first + 1_001_000]);
  }
  return ranges;
}

Deno.test("stages of PLD start from disjoint training states, in every round", () => {
  const ranges = [...trainingStates({ set: ["rounds=3"] })].sort((a, b) => a[1][0] - b[1][0]);
  assert.ok(ranges.length >= 13, `${ranges.length} stages act`);
  ranges.slice(1).forEach(([name, [first]], i) => {
    const [earlier, [, end]] = ranges[i]!;
    assert.ok(end <= first, `${earlier} ends at ${end}, ${name} starts at ${first}`);
  });
});

Deno.test("a second round distils from the first, and its control from the first control", () => {
  const { stages } = plan(pldTabletop as unknown as Experiment, { set: ["rounds=2"] });
  const source = (name: string) =>
    (stages.find((stage) => stage.name === name)!.inputs.weights as { stage: string }).stage;
  assert.equal(source("specialist.round2"), "distilled");
  assert.equal(source("distilled.round2"), "distilled");
  assert.equal(source("own-successes.round2"), "control");
  assert.equal(source("control.round2"), "control");
});

Deno.test("lanes that do not divide the learner's interval are refused before anything runs", () => {
  assert.throws(() => plan(pldTabletop as unknown as Experiment, { set: ["online.lanes=7"] }), {
    message: /must be a multiple of the 7 lanes/,
  });
});

Deno.test("noise that does not fit the base's chunks is refused before anything runs, in one line", () => {
  const refused = (...set: string[]) => () => plan(dsrlTabletop as unknown as Experiment, { set });
  assert.throws(refused("noise.shape=full", "noise.rows=8"), {
    message:
      "Cannot steer chunks of 16 actions with 8 rows of full noise: it must be the 16 rows of the horizon",
  });
  assert.throws(refused("base.execute=17"), {
    message: "Cannot query every 17 steps for chunks of 16 actions: it must be 1 ... 16",
  });
  assert.throws(refused("learner.magnitude=0"), {
    message: /^Cannot set learner\.magnitude to 0: expected a number > 0$/,
  });
});

Deno.test("dsrl-tabletop steers the base of pld-tabletop: the store shares it, its evaluation and the specialist", () => {
  const stagesOf = (experiment: unknown) =>
    new Map(plan(experiment as Experiment, { set: [] }).stages.map((stage) => [stage.name, stage]));
  const [ours, theirs] = [stagesOf(dsrlTabletop), stagesOf(pldTabletop)];
  for (const name of ["demonstrations", "base", "evaluate.base", "offline", "critic", "specialist"]) {
    assert.deepEqual(ours.get(name), theirs.get(name), name);
  }
  const na = stagesOf(dsrlNaTabletop);
  for (const name of ["base", "evaluate.base", "evaluate.noise-drawn", "dsrl", "evaluate.dsrl"]) {
    assert.deepEqual(na.get(name), ours.get(name), name);
  }
});

Deno.test("qc-tabletop learns from the rollouts that best-of-n-tabletop collects, of the base of pld-tabletop", () => {
  const stagesOf = (experiment: unknown) =>
    new Map(plan(experiment as Experiment, { set: [] }).stages.map((stage) => [stage.name, stage]));
  const [ours, theirs, pld] = [qcTabletop, bestOfNTabletop, pldTabletop].map(stagesOf);
  for (const name of ["demonstrations", "base", "evaluate.base"]) {
    assert.deepEqual(ours!.get(name)?.inputs, pld!.get(name)?.inputs, name);
    assert.deepEqual(ours!.get(name)?.parameters, pld!.get(name)?.parameters, name);
  }
  assert.deepEqual(ours!.get("rollouts"), theirs!.get("rollouts"));
});

Deno.test("PLD's smoke graph runs, answers from the store, and repeats bitwise", async () => {
  await using store = await temporary();
  const ask = (verb: string, ...args: string[]) =>
    exp([verb, "pld-tabletop", "--preset", "smoke", "--store", store.path, "--json", ...args]);
  const first = await ask("run", "--jobs", "2");
  assert.equal(first.code, 0, first.stderr);
  const made: RunDocument = JSON.parse(first.stdout);
  assert.ok(Object.values(states(made)).every((state) => state === "run"));

  const again: RunDocument = JSON.parse((await ask("run")).stdout);
  assert.equal(again.result, made.result);
  assert.ok(Object.values(states(again)).every((state) => state === "hit"));

  // A reach of zero leaves the base: the very bytes of its evaluation.
  const zero = await ask("run", "--set", "learner.xi=0", "--set", "learner.xiSchedule.from=0", "--jobs", "2");
  const still: RunDocument = JSON.parse(zero.stdout);
  const outputs = (name: string) => still.stages.find((stage) => stage.name === name)!.outputs;
  assert.equal(
    outputs("evaluate.specialist").evaluation!.digest,
    outputs("evaluate.base").evaluation!.digest,
  );
  assert.equal(outputs("evaluate.specialist").episodes!.digest, outputs("evaluate.base").episodes!.digest);

  const verified = await exp([
    ...["verify", "pld-tabletop/specialist", "--preset", "smoke", "--store", store.path, "--json"],
  ]);
  assert.equal(verified.code, 0, verified.stderr);
  assert.ok(!/"verdict":\s*"(close|different|equal)"/.test(verified.stdout), verified.stdout);
});
