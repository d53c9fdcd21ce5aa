/**
 * RIPT with CFG-Flow on the embedded tabletop: groups of rollouts of the current policy, leave-one-out advantages, a
 * flow policy trained with a condition "positive", guidance chosen on training states; again with fresh groups. Beside
 * it the controls: each branch alone, every guidance, the advantage as weight, and advantage-weighted regression.
 */
import { z } from "zod";
import { type AddStage, type Expectation, experiment, type Graph, type Handle } from "../lab/experiment.ts";
import * as awr from "../rl/awr.ts";
import * as cfgFlow from "../rl/cfg_flow.ts";
import * as ript from "../rl/ript.ts";
import * as choose from "../stages/choose_guidance.ts";
import * as clone from "../stages/clone.ts";
import * as collectGroups from "../stages/collect_groups.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import * as evaluate from "../stages/evaluate.ts";
import * as evaluateGuided from "../stages/evaluate_guided.ts";
import * as score from "../stages/score_guidance.ts";
import * as trainAwr from "../stages/train_awr.ts";
import * as trainCfgFlow from "../stages/train_cfg_flow.ts";
import type { WorldSettings } from "../stages/world.ts";
import { hyperparameters as pldHyperparameters, smoke as pldSmoke, tabletop } from "./pld_tabletop.ts";

const { tasks, lanes, demonstrations, base, evaluation } = pldHyperparameters.shape;

const unique = (values: readonly number[]) => new Set(values).size === values.length;

/** What collecting and training need, whatever the method. */
export const shared = {
  tasks,
  lanes,
  demonstrations,
  base,
  sampling: ript.sampling.prefault({}),
  windows: z.strictObject({
    stride: z.int().min(1).max(64).nullable().default(null).describe(
      "steps between the starts of two training windows; null: base.execute, each executed chunk once",
    ),
    demonstrations: z.boolean().default(false).describe("adds the base's demonstrations as positive"),
    memory: z.int().min(1).max(20).default(1).describe(
      "rounds whose groups are learned from, the newest ones",
    ),
  }).prefault({}),
  rounds: z.int().min(1).max(20).default(3).describe("rounds of collecting and training"),
  evaluation,
};

/** All that `--set` and `--params` can change, with the methods' defaults. */
export const hyperparameters = z.strictObject({
  ...shared,
  learner: cfgFlow.hyperparameters.prefault({}),
  guidance: z.strictObject({
    candidates: z.array(z.number().min(0)).min(1).refine(unique, "each s once").default([1, 1.5, 2, 3])
      .describe("s to choose from"),
    states: z.int().min(1).max(10_000).default(100).describe("training states of each task to choose on"),
  }).prefault({}),
  ablations: z.boolean().default(true).describe(
    "after the first round also: the advantage as weight, and advantage-weighted regression",
  ),
  awr: awr.hyperparameters.prefault({}),
});

/** First training initial states: contexts of groups, and states that guidance is chosen on. */
export const first = { contexts: 20_000_000, scores: 30_000_000 };

/** A policy's weights and units, as stages take them. */
export interface Policy {
  /** Weights. */
  readonly weights: Handle<"weights">;
  /** Units of features and actions. */
  readonly normalization: Handle<"normalization">;
}

/** The policy among a stage's outputs. */
export const policyOf = ({ weights, normalization }: Policy): Policy => ({ weights, normalization });

/** "name" in the first round, "name.round2" in the second. */
export const label = (name: string, round: number) => round === 0 ? name : `${name}.round${round + 1}`;

/** Settings that all graphs of groups share. */
export type Shared = z.output<z.ZodObject<Omit<typeof shared, "tasks">>> & {
  readonly tasks: readonly string[];
};

/** What the base is made and measured with. */
export type BaseSettings = Pick<Shared, "tasks" | "lanes" | "demonstrations" | "base" | "evaluation">;

/** The few-shot base of `pld-tabletop`, under the same keys, and its evaluation. */
export function cloneBase(stage: AddStage, h: BaseSettings, world: WorldSettings) {
  const tasks = [...h.tasks], { horizon, execute, flow } = h.base;
  const named = (task: string) =>
    ["demonstrations", ...(tasks.length > 1 ? [task] : [])].join(".").replaceAll("_", "-");
  const shown = tasks.map((task) =>
    stage(demonstrate, {}, { world, task, episodes: h.demonstrations.episodes, first: 0, lanes: 8 }, {
      name: named(task),
      seed: h.demonstrations.seed,
    }).episodes
  );
  const base = policyOf(stage(clone, { demonstrations: shown }, { tasks, horizon, flow }, { name: "base" }));
  /** A policy without a condition on held-out states. */
  const measure = (name: string, policy: Policy) =>
    stage(
      evaluate,
      { ...policy, residuals: [], scales: [] },
      { world, tasks, ...h.evaluation, execute, lanes: h.lanes },
      { name: `evaluate.${name}`, seed: 0 },
    ).evaluation;
  return { base, demonstrations: shown, measure };
}

/** What a learner of a round reads beside the policy: episodes of the newest rounds, perhaps the demonstrations. */
export function lessons(
  h: Shared,
  episodes: readonly Handle<"episodes">[],
  demonstrations: readonly Handle<"episodes">[],
) {
  return {
    inputs: {
      episodes: episodes.slice(-h.windows.memory),
      demonstrations: h.windows.demonstrations ? demonstrations : [],
    },
    parameters: { tasks: [...h.tasks], stride: h.windows.stride ?? h.base.execute },
  };
}

const LOST =
  "The unconditional branch, fitted to all rollouts, has lost what the base could do, and guidance leads " +
  "away from it";

/** The graph in a world. */
export function graph(
  stage: AddStage,
  { hyperparameters: h, world = tabletop }: {
    readonly hyperparameters: Omit<z.output<typeof hyperparameters>, "tasks"> & {
      readonly tasks: readonly string[];
    };
    readonly world?: WorldSettings;
  },
): Graph {
  const acting = { world, tasks: [...h.tasks], execute: h.base.execute, lanes: h.lanes };
  const { base, demonstrations, measure } = cloneBase(stage, h, world);
  const evaluations: Record<string, Handle<"evaluation">> = { base: measure("base", base) };
  const curves: Record<string, Handle<"metrics">> = {};
  const comparisons: { after: string; before: string }[] = [];
  const expectations: Expectation[] = [];

  const measureGuided = (name: string, policy: Policy, guidance: number) =>
    stage(evaluateGuided, policy, { ...acting, ...h.evaluation, guidance }, {
      name: `evaluate.${name}.s${guidance}`,
      seed: 0,
    }).evaluation;
  /** Scores and evaluates every candidate, and chooses. */
  const sweep = (name: string, policy: Policy) => {
    const held = h.guidance.candidates.map((guidance) => measureGuided(name, policy, guidance));
    const scores = h.guidance.candidates.map((guidance) =>
      stage(score, policy, { ...acting, first: first.scores, states: h.guidance.states, guidance }, {
        name: `score.${name}.s${guidance}`,
      }).score
    );
    const chosen = stage(choose, { scores, evaluations: held }, {}, { name: `choose.${name}` });
    evaluations[name] = chosen.evaluation;
    curves[name] = chosen.scores;
    return { held, choice: chosen.choice };
  };

  let policy = base, choice: Handle<"document">[] = [];
  const episodes: Handle<"episodes">[] = [], history: Handle<"metrics">[] = [];
  for (let round = 0; round < h.rounds; round++) {
    const name = label("cfg-flow", round);
    const collected = stage(collectGroups, { ...policy, choice, history }, {
      ...acting,
      first: first.contexts,
      round,
      sampling: h.sampling,
      guidance: 1,
    }, { name: label("groups", round) });
    episodes.push(collected.episodes);
    const { inputs, parameters } = lessons(h, episodes, demonstrations);
    const trained = policyOf(
      stage(trainCfgFlow, { ...policy, ...inputs }, { ...parameters, learner: h.learner }, { name }),
    );
    const { held, choice: chosen } = sweep(name, trained);
    if (!h.guidance.candidates.includes(0)) evaluations[`${name}.s0`] = measureGuided(name, trained, 0);
    h.guidance.candidates.forEach((guidance, i) => evaluations[`${name}.s${guidance}`] = held[i]!);
    comparisons.push({ after: name, before: `${name}.s0` });
    expectations.push({ label: `${name}.s0`, near: "base", otherwise: LOST });
    if (round === 0 && h.ablations) {
      const weighted = stage(trainCfgFlow, { ...policy, ...inputs }, {
        ...parameters,
        learner: { ...h.learner, weight: "advantage" },
      }, { name: "advantage-weight" });
      sweep("advantage-weight", policyOf(weighted));
      const regressed = stage(trainAwr, { ...policy, ...inputs }, { ...parameters, learner: h.awr }, {
        name: "awr",
      });
      evaluations.awr = measure("awr", policyOf(regressed));
      comparisons.push({ after: name, before: "advantage-weight" }, { after: name, before: "awr" });
    }
    curves[label("groups", round)] = collected.groups;
    history.push(collected.groups);
    policy = trained;
    choice = [chosen];
  }
  return { evaluations, curves, comparisons, expectations };
}

const training = {
  steps: 100,
  batch: 64,
  warmup: 10,
  ema: 0.9,
} as const;

const shortened = (path: string) =>
  Object.fromEntries(Object.entries(training).map(([name, value]) => [`${path}.${name}`, value]));

/** Budgets of the parts that all graphs of groups share, under which they run in less than a minute. */
export const sharedSmoke = {
  ...Object.fromEntries(
    Object.entries(pldSmoke).filter(([path]) => /^(lanes|demonstrations|base|evaluation)\b/.test(path)),
  ),
  "sampling.groups": 2,
  "sampling.rollouts": 4,
  "sampling.attempts": 150,
  "rounds": 2,
};

/** Budgets under which the whole graph runs in less than a minute; the figures mean nothing. */
export const smoke = {
  ...sharedSmoke,
  ...shortened("learner"),
  ...shortened("awr"),
  "guidance.candidates": [1, 3],
  "guidance.states": 4,
};

/** What the tabletop's small nets need otherwise than nets of pi0's size. */
const small = (path: string) => [
  { path: `${path}.steps`, value: 16_000, reason: "as for PLD's distillation, and in a proof run by hand" },
  {
    path: `${path}.model.learningRate`,
    value: 1e-3,
    reason: "a net of 0.2 M weights; the rate its base was cloned with",
  },
  {
    path: `${path}.header.learningRate`,
    value: 1e-3,
    reason: "a net of 0.2 M weights; the rate its base was cloned with",
  },
  { path: `${path}.decayTo`, value: 0, reason: "as its base was cloned" },
  { path: `${path}.warmup`, value: 100, reason: "as its base was cloned" },
  { path: `${path}.weightDecay`, value: 1e-4, reason: "as its base was cloned" },
  { path: `${path}.ema`, value: 0.999, reason: "as its base was cloned" },
];

/** Overrides of the parts that all graphs of groups share. */
export const sharedOverrides = [
  {
    path: "sampling.groups",
    value: 40,
    reason: "320 rollouts, as many episodes as the proof run by hand had",
  },
  {
    path: "windows.stride",
    value: 1,
    reason: "augmentation: every step starts a window, seen as it was at that step, as in PLD's distillation",
  },
];

/** All overrides of the tabletop. */
export const overrides = [...sharedOverrides, ...small("learner"), ...small("awr")];
/** Those of the learner at `path`. */
export const learnerOverrides = small;
/** Smoke budgets of the learner at `path`. */
export const learnerSmoke = shortened;

/** What `exp run cfg-flow-tabletop` runs. */
export default experiment({
  name: "cfg-flow-tabletop",
  version: 1,
  summary:
    "RIPT with CFG-Flow on one tabletop task: groups of rollouts, leave-one-out advantages, guided flow matching; " +
    "beside every guidance, the branches alone, the advantage as weight, and advantage-weighted regression.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides,
  presets: { smoke },
  graph,
});
