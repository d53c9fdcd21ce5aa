/**
 * RIPT as the paper has it, on the embedded tabletop: PPO with leave-one-out advantages on a policy with a likelihood, a
 * small chunk policy with a Laplace head, cloned from the demonstrations that the flow base of `pld-tabletop` has.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle } from "../lab/experiment.ts";
import * as laplace from "../policies/laplace.ts";
import * as ppo from "../rl/ppo.ts";
import * as cloneLaplace from "../stages/clone_laplace.ts";
import * as collectLaplaceGroups from "../stages/collect_laplace_groups.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import * as evaluateLaplace from "../stages/evaluate_laplace.ts";
import * as trainRipt from "../stages/train_ript.ts";
import { first, label, type Policy, policyOf, shared, sharedSmoke } from "./cfg_flow_tabletop.ts";
import { tabletop as world } from "./pld_tabletop.ts";

const { tasks, lanes, demonstrations, base, sampling, evaluation } = shared;

const hyperparameters = z.strictObject({
  tasks,
  lanes,
  demonstrations,
  base: base.unwrap().omit({ flow: true }).extend({ laplace: laplace.hyperparameters.prefault({}) }).prefault(
    {},
  ),
  sampling,
  learner: ppo.hyperparameters.prefault({}),
  rounds: z.int().min(1).max(200).default(15).describe(
    "rounds of collecting and PPO; the paper's scripts have 12",
  ),
  evaluateEvery: z.int().min(1).default(5).describe("rounds between two evaluations on held-out states"),
  evaluation,
});

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const tasks = [...h.tasks], { horizon, execute } = h.base;
  const acting = { world, tasks, execute, lanes: h.lanes };
  const demonstrations = tasks.map((task) =>
    stage(demonstrate, {}, { world, task, episodes: h.demonstrations.episodes, first: 0, lanes: 8 }, {
      name: ["demonstrations", ...(tasks.length > 1 ? [task] : [])].join(".").replaceAll("_", "-"),
      seed: h.demonstrations.seed,
    }).episodes
  );
  let policy = policyOf(
    stage(cloneLaplace, { demonstrations }, { tasks, horizon, laplace: h.base.laplace }, { name: "base" }),
  );
  const evaluations: Record<string, Handle<"evaluation">> = {};
  const curves: Record<string, Handle<"metrics">> = {};
  const measure = (name: string, policy: Policy, act: "mean" | "sample") =>
    evaluations[name] = stage(evaluateLaplace, policy, { ...acting, ...h.evaluation, act }, {
      name: `evaluate.${name}`,
      seed: 0,
    }).evaluation;
  measure("base", policy, "mean");
  measure("base.drawn", policy, "sample");
  const history: Handle<"metrics">[] = [];
  for (let round = 0; round < h.rounds; round++) {
    const { episodes, groups } = stage(collectLaplaceGroups, { ...policy, history }, {
      ...acting,
      first: first.contexts,
      round,
      sampling: h.sampling,
    }, { name: label("groups", round) });
    history.push(groups);
    curves[label("groups", round)] = groups;
    const learning = { tasks, execute, learner: h.learner };
    policy = policyOf(stage(trainRipt, { ...policy, episodes }, learning, { name: label("ript", round) }));
    const last = round === h.rounds - 1;
    if (last || (round + 1) % h.evaluateEvery === 0) measure(label("ript", round), policy, "mean");
    if (last) measure(`${label("ript", round)}.drawn`, policy, "sample");
  }
  return { evaluations, curves };
}

/** What `exp run ript-laplace-tabletop` runs. */
export default experiment({
  name: "ript-laplace-tabletop",
  version: 1,
  summary:
    "RIPT on one tabletop task: PPO with leave-one-out advantages on a Laplace policy cloned from a few demonstrations.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides: [
    ...["model", "header"].map((group) => ({
      path: `learner.${group}.learningRate`,
      value: 2e-5,
      reason:
        "the ratio's bound: in one short round half of all steps lay beyond it at 1e-4, a tenth at 1e-5",
    })),
    { path: "learner.epochs", value: 4, reason: "rounds are dear, passes are cheap; the ratio is clipped" },
  ],
  presets: {
    smoke: {
      ...Object.fromEntries(Object.entries(sharedSmoke).filter(([path]) => !path.startsWith("base."))),
      "base.laplace.steps": 400,
      "base.laplace.ema": 0.99,
      "base.laplace.warmup": 20,
      "learner.batch": 32,
    },
  },
  graph,
});
