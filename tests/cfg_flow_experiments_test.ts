/** The experiments with groups of rollouts: what they share with PLD's, how their rounds hang together, a short run. */
import assert from "node:assert/strict";
import type { Experiment } from "../lab/experiment.ts";
import { plan } from "../lab/plan.ts";
import awrTabletop from "../experiments/awr_tabletop.ts";
import cfgFlowTabletop from "../experiments/cfg_flow_tabletop.ts";
import pldTabletop from "../experiments/pld_tabletop.ts";
import riptLaplaceTabletop from "../experiments/ript_laplace_tabletop.ts";
import { exp, type RunDocument, temporary } from "./lab_command.ts";

const planOf = (experiment: unknown, ...set: string[]) => plan(experiment as Experiment, { set });
const stageOf = ({ stages }: ReturnType<typeof planOf>, name: string) =>
  stages.find((stage) => stage.name === name)!;

Deno.test("CFG-Flow and AWR build on the very base of PLD, RIPT on its demonstrations", () => {
  const pld = planOf(pldTabletop);
  for (const experiment of [cfgFlowTabletop, awrTabletop]) {
    const own = planOf(experiment);
    for (const name of ["demonstrations", "base", "evaluate.base"]) {
      assert.deepEqual(stageOf(own, name), stageOf(pld, name), `${own.experiment}/${name}`);
    }
  }
  const ript = planOf(riptLaplaceTabletop);
  assert.deepEqual(stageOf(ript, "demonstrations"), stageOf(pld, "demonstrations"));
});

Deno.test("AWR's first round is CFG-Flow's: the same groups, the same learner", () => {
  const [cfgFlow, awr] = [planOf(cfgFlowTabletop), planOf(awrTabletop)];
  for (const name of ["groups", "awr"]) assert.deepEqual(stageOf(awr, name), stageOf(cfgFlow, name), name);
});

Deno.test("a second round acts with the first one's policy and choice, and knows its ledger", () => {
  const made = planOf(cfgFlowTabletop, "rounds=2");
  const { weights, choice, history } = stageOf(made, "groups.round2").inputs;
  assert.deepEqual(weights, { stage: "cfg-flow", output: "weights" });
  assert.deepEqual(choice, [{ stage: "choose.cfg-flow", output: "choice" }]);
  assert.deepEqual(history, [{ stage: "groups", output: "groups" }]);
  const learner = stageOf(made, "cfg-flow.round2").inputs;
  assert.deepEqual(learner.weights, { stage: "cfg-flow", output: "weights" });
  assert.deepEqual(learner.episodes, [{ stage: "groups.round2", output: "episodes" }]);
  const remembered = stageOf(planOf(cfgFlowTabletop, "rounds=2", "windows.memory=2"), "cfg-flow.round2");
  assert.equal((remembered.inputs.episodes as unknown[]).length, 2);
});

Deno.test("guidance is chosen on training states no group starts from, and before held-out ones are looked at", () => {
  const { stages } = planOf(cfgFlowTabletop);
  const parameters = (module: string) =>
    stages.filter(({ entry }) => entry === `stages/${module}.ts`).map(({ parameters }) =>
      parameters as { first: number; states: number; sampling: { contexts: number } }
    );
  const contexts = Math.max(...parameters("collect_groups").map((p) => p.first + p.sampling.contexts));
  assert.ok(parameters("score_guidance").every(({ first }) => first >= contexts));
  for (const { inputs, entry } of stages) {
    if (entry !== "stages/choose_guidance.ts") continue;
    const scores = (inputs.scores as readonly { stage: string }[]).map(({ stage }) => stage);
    const evaluations = (inputs.evaluations as readonly { stage: string }[]).map(({ stage }) => stage);
    assert.deepEqual(scores.map((name) => name.replace("score.", "evaluate.")), evaluations);
  }
});

for (
  const [set, message] of [
    ["sampling.rollouts=1", /sampling\.rollouts/],
    ["guidance.candidates=[-1]", /guidance\.candidates/],
    ["guidance.candidates=[2,2]", /each s once/],
    ["learner.header.weights=[]", /learner\.header\.weights/],
  ] as const
) {
  Deno.test(`${set} is refused in one line before anything runs`, () => {
    assert.throws(() => planOf(cfgFlowTabletop, set), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"), error.message);
      return true;
    });
  });
}

Deno.test("a short CFG-Flow run answers from the store, repeats bitwise, and reports its groups", async () => {
  await using store = await temporary();
  const settings = ["rounds=1", "ablations=false", "guidance.candidates=[2]", "guidance.states=2"];
  const ask = (...words: string[]) =>
    exp([
      ...words,
      ...["--preset", "smoke", "--store", store.path, "--json"],
      ...settings.flatMap((setting) => ["--set", setting]),
    ]);
  const first = await ask("run", "cfg-flow-tabletop", "--jobs", "2");
  assert.equal(first.code, 0, first.stderr);
  const made: RunDocument & { report: { groups: { kept: number; rollouts: number }[] } } = JSON.parse(
    first.stdout,
  );
  assert.deepEqual(made.report.groups.map(({ kept, rollouts }) => [kept, rollouts]), [[2, 4]]);
  const again: RunDocument = JSON.parse((await ask("run", "cfg-flow-tabletop")).stdout);
  assert.equal(again.result, made.result);
  for (const stage of ["groups", "cfg-flow"]) {
    const verified = await ask("verify", `cfg-flow-tabletop/${stage}`);
    assert.equal(verified.code, 0, verified.stderr);
    assert.ok(!/"verdict":\s*"(close|different|equal)"/.test(verified.stdout), verified.stdout);
  }
});
