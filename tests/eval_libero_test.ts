/** What `eval-libero` plans: blocks that larger evaluations share with smaller ones, and policies by digest or by address. */
import assert from "node:assert/strict";
import evalLibero from "../experiments/eval_libero.ts";
import type { Experiment } from "../lab/experiment.ts";
import { isGiven } from "../lab/given.ts";
import { plan as planned, type PlannedStage } from "../lab/plan.ts";
import { worldsOf } from "../lab/simulator.ts";

const plan = (...set: string[]) => planned(evalLibero as unknown as Experiment, { set });
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const POLICY = [`policy.weights=${digest("a")}`, `policy.normalization=${digest("b")}`];
const REMOTE = ["policy.url=ws://127.0.0.1:9", "policy.label=pi05_libero"];
const tasks = (...names: string[]) => `tasks=${JSON.stringify(names)}`;

/** The blocks of an evaluation, without their names: what their keys are made of. */
const blocks = (...set: string[]) =>
  plan(...set).stages.filter(({ entry }) => entry.startsWith("stages/evaluate_"))
    .map(({ name: _, ...stage }: PlannedStage) => JSON.stringify(stage));

Deno.test("protocols set trials, replanning and so the blocks", () => {
  const executes = (stages: readonly string[]) =>
    new Set(stages.map((each) => JSON.parse(each).parameters.execute));
  const sizes = ["ours", "openpi", "lerobot-0.6", "vla-eval-0.4"].map((name) => {
    const made = blocks(...POLICY, `protocol=${name}`);
    assert.deepEqual([...executes(made)], [name === "openpi" ? 5 : 8], name);
    return made.length;
  });
  assert.deepEqual(sizes, [10, 10, 2, 10]);
  assert.deepEqual([...executes(blocks(...POLICY, "policy.execute=16"))], [16]);
});

for (
  const [what, policy] of [["a stored policy", POLICY], ["a remote policy", REMOTE], [
    "own bases",
    [],
  ]] as const
) {
  Deno.test(`more tasks, states and noise streams keep the blocks of a smaller evaluation: ${what}`, () => {
    const small = blocks(...policy, tasks("a_task"), "trials=20");
    assert.equal(small.length, 2);
    const large = blocks(...policy, tasks("another_task", "a_task"), "trials=50", "noises=2");
    assert.equal(large.length, 20);
    if (what !== "own bases") assert.ok(small.every((each) => large.includes(each)));
    // The stages that own bases come from are named after tasks where there are several.
    const named = (each: string) => each.replaceAll(".a-task", "");
    assert.ok(small.map(named).every((each) => large.map(named).includes(each)));
  });
}

Deno.test("a stored policy is read by its digests, with a specialist for each task", () => {
  const residuals = [`policy.residuals=["${digest("c")}","${digest("d")}"]`];
  const scales = [`policy.scales=["${digest("e")}","${digest("f")}"]`];
  const order = 'policy.tasks=["t","u","v"]';
  const { stages, evaluations } = plan(
    ...POLICY,
    ...residuals,
    ...scales,
    order,
    tasks("u", "v"),
    "trials=10",
  );
  assert.deepEqual(evaluations, { policy: { stage: "evaluation", output: "evaluation" } });
  assert.deepEqual(stages.map(({ name }) => name), [
    "evaluate.u.states-0-9",
    "evaluate.v.states-0-9",
    "evaluation",
  ]);
  const { inputs, parameters } = stages[1]!;
  assert.deepEqual(inputs, {
    weights: { given: digest("a"), kind: "weights" },
    normalization: { given: digest("b"), kind: "normalization" },
    residuals: [{ given: digest("d"), kind: "weights" }],
    scales: [{ given: digest("f"), kind: "normalization" }],
  });
  assert.deepEqual((parameters as { tasks: string[] }).tasks, ["t", "u", "v"]);
  const lone = plan(...POLICY, tasks("u"), "trials=10").stages[0]!;
  assert.deepEqual(
    (lone.parameters as { tasks: string[] }).tasks,
    ["u"],
    "a policy of one task has no one-hot",
  );
  assert.ok(!Object.values(stages[2]!.inputs).flat().some((source) => isGiven(source)));
});

Deno.test("a remote policy is shown two cameras; server and world are one simulator of its stages", () => {
  const made = plan(
    ...REMOTE,
    tasks("a_task"),
    "trials=10",
    "policy.renderer=egl",
    "policy.noiseShape=[10,32]",
  );
  const [{ simulator, parameters }] = made.stages as [PlannedStage];
  const { served, noiseShape } = parameters as { served: { world: unknown }; noiseShape: number[] };
  assert.deepEqual(served.world, {
    name: "libero",
    suite: "libero_spatial",
    protocol: "ours",
    cameras: [{ name: "agentview" }, { name: "robot0_eye_in_hand" }],
    renderer: "egl",
  });
  assert.deepEqual(noiseShape, [10, 32]);
  assert.equal(simulator?.entry, "stages/remote_world.ts");
  assert.deepEqual(simulator?.settings, served);
  const asked = { ...made, stages: made.stages.map((stage) => ({ ...stage })) };
  Object.assign(asked.stages[0]!, { simulator: { ...simulator, description: "served" } });
  assert.deepEqual(
    worldsOf(asked),
    ["served"],
    "the table that joins the blocks was measured where they were",
  );
});

Deno.test("what cannot be evaluated is refused before anything runs, in one line", () => {
  const refused = (message: string | RegExp, ...set: string[]) =>
    assert.throws(() => plan(...set), { message });
  refused("Cannot evaluate 12 states in blocks of 10: trials must be a multiple of block", "trials=12");
  refused(/^Cannot evaluate 50 states \(protocol openpi\) in blocks of 20: /, "protocol=openpi", "block=20");
  refused("Cannot evaluate half a policy: give both policy.weights and policy.normalization", POLICY[0]!);
  refused(/^Cannot evaluate two policies at once/, ...POLICY, ...REMOTE);
  refused(/^Cannot evaluate what ws:.* serves without a name: say with policy\.label/, REMOTE[0]!);
  refused(
    /^Cannot evaluate 1 residuals with 0 scales on 2 tasks/,
    ...POLICY,
    `policy.residuals=["${digest("c")}"]`,
  );
  refused(/^Cannot evaluate task "a": policy\.tasks has b$/, ...POLICY, tasks("a"), 'policy.tasks=["b"]');
  refused(/^Cannot set policy\.weights to "abc": /, "policy.weights=abc");
  refused(/^Cannot set policy\.url to "http:\/\/x": /, "policy.url=http://x");
  const specialist = [`policy.residuals=["${digest("c")}"]`, `policy.scales=["${digest("d")}"]`, tasks("a")];
  refused(/^Cannot evaluate residuals without the policy they correct/, ...specialist);
});
