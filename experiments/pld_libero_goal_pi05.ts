/**
 * PLD on LIBERO-Goal from a real pi0.5: a LeRobot checkpoint is the frozen base, a residual specialist for each task is trained on
 * top of it, hybrid rollouts become a LeRobot data set, and the checkpoint is fine-tuned on it by LeRobot. The base sees
 * pictures, the specialists states (proprioception and object poses), and reports say so. It runs where a checkpoint, a GPU
 * and LIBERO's assets are.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle } from "../lab/experiment.ts";
import * as collect from "../stages/collect_lerobot_episodes.ts";
import * as collectHybrid from "../stages/collect_hybrid_lerobot.ts";
import * as evaluate from "../stages/evaluate_residual_lerobot.ts";
import { batchSizes } from "../stages/online_batches.ts";
import * as pretrainCritic from "../stages/pretrain_critic.ts";
import * as sft from "../stages/sft.ts";
import * as trainResidual from "../stages/train_residual_lerobot.ts";
import * as writeLerobot from "../stages/write_lerobot.ts";
import {
  acting,
  lerobotNeeds,
  measurePolicy,
  openPolicy,
  policyShared,
  policySmoke,
} from "./lerobot/policy.ts";
import { first, hyperparameters as pldHyperparameters, smoke as pldSmoke } from "./pld_tabletop.ts";

const { offline, calql, learner, online, hybrid } = pldHyperparameters.shape;

const goal = [
  "open_the_middle_drawer_of_the_cabinet",
  "open_the_top_drawer_and_put_the_bowl_inside",
  "push_the_plate_to_the_front_of_the_stove",
  "put_the_bowl_on_the_plate",
  "put_the_bowl_on_the_stove",
  "put_the_bowl_on_top_of_the_cabinet",
  "put_the_cream_cheese_in_the_bowl",
  "put_the_wine_bottle_on_the_rack",
  "put_the_wine_bottle_on_top_of_the_cabinet",
  "turn_on_the_stove",
];

const hyperparameters = z.strictObject({
  ...policyShared("pi05", "libero_goal", goal),
  offline,
  calql,
  learner,
  online,
  hybrid,
  offlineBy: z.enum(["policy", "expert"]).default("policy")
    .describe("whose successes are offline data; the scripted expert's where the policy has none"),
  distil: z.boolean().default(true).describe("hybrid rollouts and fine-tuning after the specialists"),
  sft: z.strictObject({
    steps: z.int().min(1).default(30_000).describe("gradient steps"),
    batch: z.int().min(1).default(32).describe("frames of a minibatch, for each process"),
    settings: z.record(z.string(), z.union([z.number(), z.boolean(), z.string()]))
      .default({ "policy.dtype": "bfloat16", "policy.train_expert_only": true })
      .describe("LeRobot's further settings by dotted name"),
  }).prefault({}),
});

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  batchSizes({ ...h.online, criticUpdates: h.learner.criticUpdates });
  const policy = openPolicy(stage, h), { checkpoint, tokenizer, normStats, bridge, world } = policy;
  const base = { checkpoint, tokenizer, normStats }, tasks = [...h.tasks], { execute } = h.policy;
  const lerobot = acting(policy, null), lanes = h.lanes, many = tasks.length > 1;
  const named = (name: string, task: string) => ({
    name: [name, ...(many ? [task] : [])].join(".").replaceAll("_", "-"),
  });
  const evaluations: Record<string, Handle<"evaluation">> = {
    base: measurePolicy(stage, h, policy, { name: "base", checkpoint }),
  };
  const curves: Record<string, Handle<"metrics">> = {};
  const specialists = tasks.map((task) => {
    const told = { lerobot, task, execute, lanes, ...h.offline, by: h.offlineBy, first: first.offline };
    const { episodes } = stage(collect, base, told, named("offline", task));
    const { buffer: _, warmupEpisodes: __, criticUpdates: ___, nextActions: ____, ...pretraining } =
      h.learner;
    const { weights: critic } = stage(
      pretrainCritic,
      { offline: episodes },
      { execute, learner: pretraining, calql: h.calql },
      named("critic", task),
    );
    const specialist = stage(trainResidual, { ...base, offline: episodes, critic }, {
      lerobot,
      ...{ task, tasks, execute, first: first.online, learner: h.learner, online: h.online },
    }, named("specialist", task));
    curves[named("specialist", task).name] = specialist.curve;
    return specialist;
  });
  evaluations.specialist = stage(
    evaluate,
    {
      ...base,
      residuals: specialists.map(({ weights }) => weights),
      scales: specialists.map(({ scale }) => scale),
    },
    { lerobot, tasks, states: h.evaluation.states, noises: 1, lanes, execute },
    { name: "evaluate.specialist", seed: 0 },
  ).evaluation;
  if (!h.distil) return { evaluations, curves };

  const mixed = tasks.map((task, i) => {
    const { weights: residual, scale } = specialists[i]!;
    const told = { lerobot, task, tasks, execute, lanes, ...h.hybrid, first: first.hybrid };
    return stage(collectHybrid, { ...base, residual, scale }, told, named("hybrid", task)).episodes;
  });
  const { dataset } = stage(
    writeLerobot,
    {
      hybrid: mixed,
      demonstrations: [],
      advantages: [],
      policy: [],
      residuals: specialists.map(({ weights }) => weights),
      checkpoint: [checkpoint],
    },
    { world, lanes, pictures: "libero", made: { ...h.hybrid, execute } },
    { name: "data", seed: 0 },
  );
  const tuned = stage(sft, { dataset, base: [checkpoint], tokenizer }, {
    lerobot: bridge,
    policy: h.policy.type,
    ...h.sft,
  }, { name: "distilled" });
  evaluations.distilled = measurePolicy(stage, h, policy, {
    name: "distilled",
    checkpoint: tuned.checkpoint,
  });
  return { evaluations, curves, comparisons: [{ after: "distilled", before: "specialist" }] };
}

const small = Object.fromEntries(
  Object.entries(pldSmoke).filter(([path]) => /^(calql|learner|online)\b/.test(path)),
);

/** What `exp run pld-libero-goal-pi05` runs. */
export default experiment({
  name: "pld-libero-goal-pi05",
  version: 1,
  summary:
    "PLD on LIBERO-Goal from a LeRobot pi0.5: specialists on the frozen checkpoint, hybrid data, fine-tuning by LeRobot.",
  seeds: [0],
  hyperparameters,
  needs: lerobotNeeds("lerobot/pi05_libero_finetuned", 40),
  presets: {
    smoke: {
      ...small,
      ...policySmoke,
      "offline.episodes": 1,
      "offline.attempts": 5,
      "offlineBy": "expert",
      "online.steps": 160,
      "online.lanes": 2,
      "online.evaluateEvery": 160,
      "online.evaluationEpisodes": 1,
      "learner.warmupEpisodes": 0,
      // A random policy has no successes to distil.
      "distil": false,
    },
  },
  graph,
});
