/**
 * PLD, DSRL, CFG-Flow and chunk-level RL on the embedded tabletop, side by side: one base policy, one task, the same
 * held-out states, and the same budget of environment steps to learn from. What chooses among checkpoints or guidances
 * runs on training states beyond the budget; the report counts it in a column of its own.
 *
 * A seed takes a good hour on two cores: 15 minutes PLD, 10 DSRL-SAC, 20 CFG-Flow, 15 chunk-level RL. Three seeds are
 * three to four hours, one night's work with room to spare: sums of BENCHMARKS.md, the last one estimated.
 */
import { z } from "zod";
import { experiment, type Graph, type Override } from "../lab/experiment.ts";
import * as dsrl from "../rl/dsrl.ts";
import * as na from "../rl/dsrl_na.ts";
import { steeringNoise } from "../rl/steering_noise.ts";
import * as score from "../stages/score_guidance.ts";
import * as steering from "../stages/steering_training.ts";
import * as trainResidual from "../stages/train_residual.ts";
import { overrides as bestOfNOverrides } from "./best_of_n_tabletop.ts";
import { first, learnerOverrides, learnerSmoke, overrides as cfgFlowOverrides } from "./cfg_flow_tabletop.ts";
import { naOverrides, steeredByActions } from "./dsrl_na_tabletop.ts";
import {
  expectations,
  hyperparameters as dsrlHyperparameters,
  overrides as dsrlOverrides,
  residual,
  smoke as dsrlSmoke,
  steered,
  steeredBase,
} from "./dsrl_tabletop.ts";
import { chunked, chunkLevel } from "./four_methods/chunk_level.ts";
import { guided, guidedGroups } from "./four_methods/guided_groups.ts";
import pld, { smoke as pldSmoke } from "./pld_tabletop.ts";

const { task, lanes, demonstrations, base, evaluation } = dsrlHyperparameters.shape;
const { offline, calql, learner: residualLearner } = dsrlHyperparameters.shape.pld.unwrap().shape;

const hyperparameters = z.strictObject({
  task,
  lanes,
  demonstrations,
  base,
  budget: z.int().min(1).default(75_000).describe("environment steps that each method may learn from"),
  episodeSteps: z.int().min(1).default(130).describe(
    "mean steps of an episode, by which methods that collect whole episodes are given their share of the budget",
  ),
  evaluation,
  pld: z.strictObject({
    offline,
    offlineSteps: z.int().min(0).default(15_000).describe(
      "what collecting the offline successes is taken to cost; the rest of the budget is online",
    ),
    calql,
    learner: residualLearner,
    online: trainResidual.online.omit({ steps: true }).prefault({}),
  }).prefault({}),
  dsrl: z.strictObject({
    variant: z.enum(["sac", "na"]).default("sac").describe("DSRL-SAC, or DSRL-NA"),
    noise: steeringNoise.prefault({}).describe("shape of w"),
    online: steering.online.omit({ steps: true }).prefault({}),
    learner: dsrl.hyperparameters.prefault({}).describe("of DSRL-SAC"),
    na: na.hyperparameters.prefault({}).describe("of DSRL-NA"),
  }).prefault({}),
  cfgFlow: guided.prefault({}),
  chunkRl: chunked.prefault({}),
});

function graph(
  stage: Parameters<typeof steeredBase>[0],
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const { task, budget } = h, online = budget - h.pld.offlineSteps;
  if (online < 1) {
    throw new RangeError(
      `Cannot learn online within ${budget} environment steps of which ${h.pld.offlineSteps} are offline: ` +
        "pld.offlineSteps must be less than budget",
    );
  }
  const rollouts = Math.floor(budget / h.episodeSteps);
  const shared = { task, lanes: h.lanes, demonstrations: h.demonstrations, base: h.base };
  const steer = { ...h.dsrl, online: { ...h.dsrl.online, steps: budget } };
  const begun = steeredBase(stage, {
    ...shared,
    noise: steer.noise,
    online: steer.online,
    evaluation: h.evaluation,
  });
  const { policy: base, protocol } = begun;
  const { states: _, noises: __, ...acting } = protocol;
  const { states } = h.cfgFlow.guidance;
  const start = stage(score, base, { ...acting, first: first.scores, states, guidance: 1 }, {
    name: "score.base",
  }).score;

  const specialist = residual(
    stage,
    { task, pld: { ...h.pld, online: { ...h.pld.online, steps: online } } },
    begun,
  );
  const steered_ = h.dsrl.variant === "sac"
    ? steered(stage, { ...shared, ...steer, evaluation: h.evaluation }, begun)
    : steeredByActions(stage, steer, begun);
  const groups = guidedGroups(stage, h.cfgFlow, { base, protocol, rollouts, start });
  const chunks = chunkLevel(stage, h.chunkRl, { base, task, protocol, rollouts, start, states });

  const steering = Object.keys(steered_.curves)[0]!;
  const methods = [
    { label: "pld", evaluation: specialist.evaluations.specialist, progress: [specialist.curves.specialist] },
    {
      label: `dsrl-${h.dsrl.variant}`,
      evaluation: steered_.evaluations[steering]!,
      progress: Object.values(steered_.curves),
    },
    { label: "cfg-flow", ...groups },
    { label: "chunk-rl", ...chunks },
  ];
  const labels = methods.map(({ label }) => label);
  return {
    evaluations: {
      base: begun.evaluations.base!,
      ...Object.fromEntries(methods.map(({ label, evaluation }) => [label, evaluation])),
      "noise-drawn": begun.evaluations["noise-drawn"]!,
      "noise-zero": begun.evaluations["noise-zero"]!,
    },
    curves: { ...groups.curves, ...chunks.curves },
    comparisons: labels.flatMap((before, i) => labels.slice(i + 1).map((after) => ({ after, before }))),
    expectations,
    methods: methods.map(({ label, progress }) => ({ label, progress })),
  };
}

/** Those of another experiment under a path of this one, without what the budget decides. */
const under = (prefix: string, overrides: readonly Override[], which: RegExp) =>
  overrides.filter(({ path }) => which.test(path) && path !== "online.steps")
    .map(({ path, value, reason }) => ({ path: `${prefix}.${path}`, value, reason }));

const overrides: readonly Override[] = [
  ...under("pld", pld.overrides ?? [], /^(learner|calql|online)\./),
  ...under("dsrl", dsrlOverrides, /^(learner|online)\./),
  ...under("dsrl", naOverrides, /^na\./),
  ...under("cfgFlow", cfgFlowOverrides, /^(windows|learner)\./),
  {
    path: "cfgFlow.windows.memory",
    value: 3,
    reason: "a third of the budget a round: all rounds together are what a round of cfg-flow-tabletop has",
  },
  {
    path: "cfgFlow.guidance.states",
    value: 50,
    reason: "as many episodes as the checkpoints of PLD and DSRL are chosen on",
  },
  ...under("chunkRl", bestOfNOverrides, /^learner\.(?!steps)/),
  {
    path: "chunkRl.learner.steps",
    value: 10_000,
    reason: "as good as 20,000 in a proof run by hand; there are three rounds of it",
  },
  ...learnerOverrides("chunkRl.policy"),
  { path: "chunkRl.policy.inverseTemperature", value: 1, reason: "as in chunk-rl-tabletop" },
];

const small = (prefix: string, values: Readonly<Record<string, unknown>>, which: RegExp) =>
  Object.fromEntries(
    Object.entries(values).filter(([path]) => which.test(path) && path !== "online.steps")
      .map(([path, value]) => [prefix + path, value]),
  );

/** Budgets under which the whole graph runs in less than two minutes; the figures mean nothing. */
const smoke = {
  ...small("", pldSmoke, /^(lanes|demonstrations|base|evaluation)\b/),
  "budget": 1200,
  "episodeSteps": 25,
  "pld.offlineSteps": 400,
  ...small("pld.", pldSmoke, /^(offline|calql|learner|online)\./),
  ...small("dsrl.", dsrlSmoke, /^(learner|online)\./),
  "dsrl.na.batch": 32,
  "dsrl.na.width": 32,
  // A second round of so short a training could find no success to learn from.
  "cfgFlow.rounds": 1,
  "cfgFlow.sampling.rollouts": 4,
  ...learnerSmoke("cfgFlow.learner"),
  "cfgFlow.guidance.candidates": [1, 3],
  "cfgFlow.guidance.states": 4,
  "chunkRl.rounds": 2,
  "chunkRl.learner.steps": 100,
  "chunkRl.learner.batch": 32,
  "chunkRl.learner.width": 32,
  "chunkRl.candidates": 4,
  ...learnerSmoke("chunkRl.policy"),
} as Record<string, string | number | boolean | readonly number[]>;

/** What `exp run four-methods-tabletop` runs. */
export default experiment({
  name: "four-methods-tabletop",
  version: 1,
  summary:
    "PLD, DSRL, CFG-Flow and chunk-level RL on one tabletop task: one few-shot base, the same held-out states, the same " +
    "budget of environment steps.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides,
  presets: { smoke: smoke as never },
  graph,
});
