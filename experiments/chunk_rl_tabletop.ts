/**
 * Offline chunk-level RL on the embedded tabletop: a flow policy learns from its own successes and failures, each chunk
 * weighted by its advantage under a critic on chunks, or from the best of the base's own proposals. Beside it cloning the
 * successes alone, every β, and the best of N proposals of the base and of the trained policy under the same critic.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle, type Override } from "../lab/experiment.ts";
import * as flow from "../policies/flow.ts";
import * as awr from "../rl/awr.ts";
import * as distilBestOfN from "../stages/distil_best_of_n.ts";
import * as trainWeightedFlow from "../stages/train_weighted_flow.ts";
import type { WorldSettings } from "../stages/world.ts";
import * as weighChunks from "../stages/weigh_chunks.ts";
import {
  criticOfBase,
  iqlChunk,
  overrides as bestOfNOverrides,
  qc,
  shared,
  smoke as bestOfNSmoke,
} from "./best_of_n_tabletop.ts";
import { learnerOverrides, learnerSmoke, policyOf } from "./cfg_flow_tabletop.ts";
import { tabletop } from "./pld_tabletop.ts";

/** All that `--set` and `--params` can change. */
export const hyperparameters = z.strictObject({
  ...shared,
  candidates: shared.candidates.removeDefault().default([16]),
  policy: awr.hyperparameters.omit({ inverseTemperature: true }).prefault({}),
  beta: z.number().min(0).default(1).describe("inverse temperature of the weights exp(beta A)"),
  distillation: z.strictObject({
    candidates: z.int().min(1).max(1024).default(16).describe(
      "N, proposals of the base to distil the best of",
    ),
    stride: z.int().min(1).max(64).default(4).describe(
      "steps from one state that is asked about to the next",
    ),
    flow: flow.hyperparameters.prefault({}),
  }).prefault({}),
  betas: z.array(z.number().min(0)).refine((values) => new Set(values).size === values.length, "each once")
    .default([0, 3, 10]).describe("further ones, for the table; 0 weighs all chunks the same"),
});

/** The values; tasks are any of the world's. */
export type Settings = Omit<z.output<typeof hyperparameters>, "tasks"> & {
  readonly tasks: readonly string[];
};

/** The graph in a world. */
export function graph(
  stage: AddStage,
  { hyperparameters: h, world = tabletop }: {
    readonly hyperparameters: Settings;
    readonly world?: WorldSettings;
  },
): Graph {
  const tasks = [...h.tasks];
  const { base, data, critic, measure, measureBest } = criticOfBase(stage, h, world);
  const betas = [h.beta, ...h.betas.filter((beta) => beta !== h.beta)];
  const { horizon, gamma, rewardScale, rewardBias, ends, activation } = h.learner;
  const weighed = stage(weighChunks, { critic: critic.weights, scale: critic.scale, ...data }, {
    tasks,
    learner: { horizon, gamma, rewardScale, rewardBias, ends, activation },
    betas,
    cap: h.policy.cap,
  }, { name: "weights" });
  const train = (name: string, keep: "all" | "successes", beta: number) =>
    policyOf(stage(trainWeightedFlow, {
      ...base,
      ...data,
      advantages: keep === "all" ? [weighed.advantages] : [],
    }, {
      tasks,
      keep,
      demonstrationShare: h.demonstrationShare,
      learner: { ...h.policy, inverseTemperature: beta },
    }, { name }));
  const evaluations: Record<string, Handle<"evaluation">> = { base: measure("base", base) };
  const cloned = train("clone-successes", "successes", 0);
  evaluations["clone-successes"] = measure("clone-successes", cloned);
  const weighted = betas.map((beta, i) => {
    const label = i === 0 ? "weighted" : `weighted.beta${beta}`;
    const policy = train(label, "all", beta);
    evaluations[label] = measure(label, policy);
    return policy;
  });
  const distilled = policyOf(stage(distilBestOfN, {
    ...base,
    critic: critic.weights,
    scale: critic.scale,
    episodes: data.episodes,
  }, {
    tasks,
    ...h.distillation,
    scoring: { ...h.scoring, activation },
  }, { name: "distilled" }));
  evaluations.distilled = measure("distilled", distilled);
  for (const n of h.candidates) {
    evaluations[`best-of-${n}`] = measureBest(`best-of-${n}`, base, n);
    evaluations[`weighted.best-of-${n}`] = measureBest(`weighted.best-of-${n}`, weighted[0]!, n);
    evaluations[`clone-successes.best-of-${n}`] = measureBest(`clone-successes.best-of-${n}`, cloned, n);
  }
  return {
    evaluations,
    curves: { weights: weighed.weighting },
    comparisons: [
      { after: "weighted", before: "clone-successes" },
      { after: "distilled", before: "clone-successes" },
      ...h.candidates.flatMap((n) => [
        { after: `weighted.best-of-${n}`, before: `best-of-${n}` },
        { after: `clone-successes.best-of-${n}`, before: `best-of-${n}` },
      ]),
    ],
  };
}

/** What the tabletop needs otherwise than the brief, QC and openpi. */
export const overrides: readonly Override[] = [
  ...bestOfNOverrides,
  ...learnerOverrides("policy").filter(({ path }) => path !== "policy.steps"),
  { path: "policy.steps", value: 8000, reason: "half of what distillation takes: four policies are trained" },
  {
    path: "beta",
    value: 0.3,
    reason: "advantages under -1/0 deviate by about 3: at 1 a twentieth of the chunks has the weight",
  },
  { path: "betas", value: [0, 0.1, 1], reason: "around 0.3" },
  { path: "distillation.stride", value: 2, reason: "20,000 states" },
  { path: "distillation.flow.steps", value: 12_000, reason: "with 4,000 a third of the gain is lost" },
];

/** Budgets under which the whole graph runs in less than a minute; the figures mean nothing. */
export const smoke = {
  ...bestOfNSmoke,
  ...learnerSmoke("policy"),
  "candidates": [4],
  "betas": [0],
  "distillation.candidates": 4,
  "distillation.flow.steps": 100,
  "distillation.flow.ema": 0.9,
};

/** What `exp run chunk-rl-tabletop` runs. */
export default experiment({
  name: "chunk-rl-tabletop",
  version: 1,
  summary:
    "Offline chunk-level RL on one tabletop task: IQL on chunks of 300 episodes of a few-shot base, flow matching " +
    "weighted by advantages for several beta, the best of N and its distillation, beside cloning the successes.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides,
  presets: {
    smoke,
    qc,
    "iql-chunk": { ...iqlChunk, "beta": 10, "betas": [3] },
    // The brief's values where they have a meaning here; its own losses are chunk-brief-tabletop's.
    brief: { "learner.batch": 32, "learner.width": 512, "policy.batch": 32, "beta": 1 },
  },
  graph,
});
