/**
 * Offline chunk-level RL on a real pi0.5: rollouts of a LeRobot checkpoint in LIBERO, critics on its executed chunks by implicit
 * Q-learning, a LeRobot data set whose windows are weighed by exp(beta A), weighted flow matching in LeRobot. The critics see
 * states (proprioception and object poses), the policy pictures. It runs where a checkpoint, a GPU and LIBERO's assets are.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle, type Override } from "../lab/experiment.ts";
import * as iql from "../rl/iql.ts";
import * as ript from "../rl/ript.ts";
import * as train from "../stages/train_lerobot_flow.ts";
import * as trainChunkCritic from "../stages/train_chunk_critic.ts";
import * as weighChunks from "../stages/weigh_chunks.ts";
import * as writeLerobot from "../stages/write_lerobot.ts";
import {
  lerobotNeeds,
  measurePolicy,
  openPolicy,
  policyShared,
  policySmoke,
  rollOutGroups,
} from "./lerobot/policy.ts";

const fromTo = (where: string) => `pick_up_the_black_bowl_${where}_and_place_it_on_the_plate`;
const unique = (values: readonly number[]) => new Set(values).size === values.length;
const { lerobot: _, method: __, mismatch: ___, unconditional: ____, ...learner } = train.parameters.shape;

const hyperparameters = z.strictObject({
  ...policyShared("pi05", "libero_spatial", [fromTo("between_the_plate_and_the_ramekin")]),
  rollouts: ript.sampling.omit({ dynamic: true, skips: true, attempts: true }).prefault({})
    .describe("what is collected: states, and rollouts of each under their own noise"),
  critic: iql.hyperparameters.prefault({}),
  betas: z.array(z.number().min(0)).min(1).refine(unique, "each once").default([0, 1])
    .describe("inverse temperatures of the weights exp(beta A); 0 weighs all chunks the same"),
  cap: z.number().positive().default(100).describe("largest weight"),
  learner: z.strictObject(learner).prefault({}),
});

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  if (h.critic.horizon !== h.policy.execute) {
    throw new RangeError(
      `Cannot learn a critic on chunks of ${h.critic.horizon} actions where the policy executes ${h.policy.execute}: ` +
        "critic.horizon must be policy.execute",
    );
  }
  const policy = openPolicy(stage, h), { checkpoint, tokenizer, normStats, bridge, world } = policy;
  const evaluations: Record<string, Handle<"evaluation">> = {
    base: measurePolicy(stage, h, policy, { name: "base", checkpoint }),
  };
  // Every rollout is kept: critics learn from groups without contrast, too.
  const sampling = { ...h.rollouts, attempts: h.rollouts.groups, dynamic: false, skips: 0 };
  const { episodes } = rollOutGroups(stage, { ...h, sampling }, policy);
  const data = { episodes: [episodes], demonstrations: [] }, tasks = [...h.tasks];
  const critic = stage(trainChunkCritic, data, { tasks, demonstrationShare: 0, learner: h.critic }, {
    name: "critic",
  });
  const { horizon, gamma, rewardScale, rewardBias, ends, activation } = h.critic;
  const weighed = stage(weighChunks, { critic: critic.weights, scale: critic.scale, ...data }, {
    tasks,
    learner: { horizon, gamma, rewardScale, rewardBias, ends, activation },
    betas: h.betas,
    cap: h.cap,
  }, { name: "weights" });
  for (const beta of h.betas) {
    const { dataset } = stage(writeLerobot, {
      hybrid: [episodes],
      demonstrations: [],
      advantages: [weighed.advantages],
      policy: [],
      residuals: [],
      checkpoint: [checkpoint],
    }, {
      world,
      lanes: h.lanes,
      pictures: "libero",
      weights: { rule: "awr", inverseTemperature: beta, cap: h.cap },
    }, { name: `data.beta${beta}`, seed: 0 });
    const name = `weighted.beta${beta}`;
    const trained = stage(train, { dataset, base: checkpoint, tokenizer, normStats }, {
      ...h.learner,
      lerobot: bridge,
      method: "weighted",
      mismatch: normStats.length > 0 ? "refuse" : "policy",
    }, { name });
    evaluations[name] = measurePolicy(stage, h, policy, { name, checkpoint: trained.checkpoint });
  }
  const [even] = h.betas;
  return {
    evaluations,
    curves: { weights: weighed.weighting },
    comparisons: h.betas.slice(1).map((beta) => ({
      after: `weighted.beta${beta}`,
      before: `weighted.beta${even}`,
    })),
  };
}

const overrides: readonly Override[] = [
  { path: "critic.horizon", value: 10, reason: "the actions that are executed of each chunk" },
];

/** What `exp run chunk-rl-libero-pi05` runs. */
export default experiment({
  name: "chunk-rl-libero-pi05",
  version: 1,
  summary:
    "Offline chunk-level RL on a LeRobot pi0.5 in LIBERO: IQL on its chunks, flow matching weighted by their advantages.",
  seeds: [0],
  hyperparameters,
  overrides,
  needs: lerobotNeeds("lerobot/pi05_libero_finetuned", 40),
  presets: {
    smoke: {
      ...policySmoke,
      "rollouts.groups": 1,
      "rollouts.rollouts": 2,
      "rollouts.contexts": 2,
      "critic.horizon": 6,
      "critic.steps": 20,
      "critic.batch": 16,
      "learner.steps": 2,
      "learner.batch": 2,
      "betas": [1],
    },
  },
  graph,
});
