/**
 * CFG-Flow on a real pi0: groups of rollouts of a LeRobot checkpoint in LIBERO, leave-one-out advantages, a LeRobot data set with
 * the pictures that the policy saw, training with a condition "positive" in LeRobot, guidance at sampling. It runs where a
 * checkpoint, a GPU and LIBERO's assets are: `exp doctor cfg-flow-libero-pi0` says what is missing.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle } from "../lab/experiment.ts";
import * as ript from "../rl/ript.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import * as train from "../stages/train_lerobot_flow.ts";
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
const { lerobot: _, method: __, mismatch: ___, ...learner } = train.parameters.shape;

const hyperparameters = z.strictObject({
  ...policyShared("pi0", "libero_spatial", [fromTo("between_the_plate_and_the_ramekin")]),
  sampling: ript.sampling.prefault({}),
  demonstrations: z.int().min(0).max(10_000).default(0)
    .describe("episodes of the scripted expert in each task, added as positive; 0: none"),
  weight: z.enum(["indicator", "advantage"]).default("indicator").describe("w(A) of the conditional branch"),
  stride: z.int().min(1).max(64).nullable().default(null)
    .describe("steps between the starts of two windows; null: policy.execute"),
  learner: z.strictObject(learner).prefault({}),
  guidance: z.array(z.number().min(0)).min(1).refine(unique, "each s once").default([0, 1, 1.5, 2])
    .describe("s to evaluate"),
});

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const policy = openPolicy(stage, h), { checkpoint, tokenizer, normStats, bridge, world } = policy;
  const evaluations: Record<string, Handle<"evaluation">> = {
    base: measurePolicy(stage, h, policy, { name: "base", checkpoint }),
  };
  const { episodes, groups } = rollOutGroups(stage, h, policy);
  const shown = h.demonstrations === 0 ? [] : h.tasks.map((task) =>
    stage(demonstrate, {}, {
      world: policy.unseen,
      task,
      episodes: h.demonstrations,
      first: 0,
      lanes: h.lanes,
    }, {
      name: ["demonstrations", ...(h.tasks.length > 1 ? [task] : [])].join(".").replaceAll("_", "-"),
      seed: 0,
    }).episodes
  );
  const { dataset } = stage(writeLerobot, {
    hybrid: [episodes],
    demonstrations: shown,
    advantages: [],
    policy: [],
    residuals: [],
    checkpoint: [checkpoint],
  }, {
    world,
    lanes: h.lanes,
    pictures: "libero",
    weights: { rule: h.weight, stride: h.stride ?? h.policy.execute },
  }, { name: "data", seed: 0 });
  // Statistics of a few rollouts are not those the policy was trained under: it keeps its own, checked where some are named.
  const trained = stage(train, { dataset, base: checkpoint, tokenizer, normStats }, {
    ...h.learner,
    lerobot: bridge,
    method: "cfg",
    mismatch: normStats.length > 0 ? "refuse" : "policy",
  }, { name: "cfg-flow" });
  for (const guidance of h.guidance) {
    const name = `cfg-flow.s${guidance}`;
    evaluations[name] = measurePolicy(stage, h, policy, { name, checkpoint: trained.checkpoint, guidance });
  }
  const unconditional = h.guidance.includes(0) ? "cfg-flow.s0" : undefined;
  return {
    evaluations,
    curves: { groups },
    comparisons: h.guidance.filter((s) => s > 0 && unconditional !== undefined)
      .map((s) => ({ after: `cfg-flow.s${s}`, before: unconditional! })),
  };
}

/** What `exp run cfg-flow-libero-pi0` runs. */
export default experiment({
  name: "cfg-flow-libero-pi0",
  version: 1,
  summary:
    "RIPT with CFG-Flow on a LeRobot pi0 in LIBERO: groups of rollouts, guided flow matching, every guidance.",
  seeds: [0],
  hyperparameters,
  needs: lerobotNeeds("lerobot/pi0_libero_finetuned", 40),
  presets: {
    smoke: {
      ...policySmoke,
      "sampling.groups": 1,
      "sampling.rollouts": 2,
      "sampling.contexts": 2,
      "sampling.attempts": 2,
      "sampling.dynamic": false,
      "demonstrations": 1,
      "learner.steps": 2,
      "learner.batch": 2,
      "guidance": [0, 1],
    },
  },
  graph,
});
