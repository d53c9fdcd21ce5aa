/** A pi0 or pi0.5 of LeRobot as the policy of an experiment: where it comes from, the world it is shown, its evaluation. */
import { z } from "zod";
import { protocolNames } from "../../envs/libero_protocols.ts";
import { evaluationStates } from "../../envs/environment.ts";
import { type AddStage, given, type Handle, type Input, type Need } from "../../lab/experiment.ts";
import { liberoCameras } from "../../policies/openpi.ts";
import * as collectGroups from "../../stages/collect_lerobot_groups.ts";
import * as evaluateLerobot from "../../stages/evaluate_lerobot.ts";
import * as joinEvaluations from "../../stages/join_evaluations.ts";
import * as tinyLerobot from "../../stages/tiny_lerobot.ts";
import type { WorldSettings } from "../../stages/world.ts";

const unique = (names: readonly string[]) => new Set(names).size === names.length;
const digest = (what: string) =>
  z.string().regex(/^$|^(sha256:)?[0-9a-f]{64}$/, "expected 64 hexadecimal digits").default("").describe(
    what,
  );

/** Stands for a checkpoint that nobody has named yet: no store has it, and `exp doctor` says so. */
const UNNAMED = "0".repeat(64);

/** What all such experiments can be told. */
export const policyShared = (type: "pi0" | "pi05", suite: string, tasks: readonly string[]) => ({
  simulator: z.enum(["libero", "tabletop"]).default("libero").describe(
    "the world; the tabletop for a quick look",
  ),
  suite: z.string().regex(/^libero_[a-z0-9_]+$/).default(suite).describe("any suite the assets hold"),
  protocol: z.enum(protocolNames).default("ours").describe("step budgets and seeds of evaluation episodes"),
  tasks: z.array(z.string()).min(1).refine(unique, "each task once").default([...tasks])
    .describe("tasks of the suite, by the names of their BDDL files"),
  policy: z.strictObject({
    type: z.enum(["pi0", "pi05"]).default(type).describe("type of the policy"),
    tiny: z.boolean().default(false).describe(
      "a random one of a few thousand weights, in place of a checkpoint",
    ),
    checkpoint: digest("digest of its folder pretrained_model in the store"),
    tokenizer: digest("digest of its tokenizer's folder; empty: the hub's cache has it"),
    normStats: digest("digest of statistics that its own must match; empty: unchecked"),
    execute: z.int().min(1).max(64).default(10).describe("actions executed of each chunk"),
    device: z.string().regex(/^(cpu|cuda(:\d+)?)$/).default("cuda").describe("where PyTorch computes"),
  }).prefault({}),
  camera: z.strictObject({
    side: z.int().min(8).max(1024).default(224).describe("rows and columns of the policy's pictures"),
    renderer: z.enum(["osmesa", "egl"]).default("egl").describe(
      "what draws them; osmesa where there is no GPU",
    ),
  }).prefault({}),
  lanes: z.int().min(1).max(64).default(8).describe("episodes stepped together"),
  evaluation: z.strictObject({
    states: z.int().min(1).max(evaluationStates).default(50).describe("fixed evaluation states of each task"),
  }).prefault({}),
} as const);

/** The parsed values. */
export type PolicyShared = z.output<z.ZodObject<ReturnType<typeof policyShared>>>;

/** What a checkpoint of LeRobot needs beside what the stages ask for. */
export const lerobotNeeds = (hub: string, gigabytes: number): readonly Need[] => [
  {
    name: "checkpoint",
    detail: `${hub} as a folder, packed into the store: its digest is policy.checkpoint`,
    mend: `hf download ${hub} --local-dir DIR, then deno task exp data import DIR`,
  },
  {
    name: "gpu",
    detail: `training takes some ${gigabytes} GB in bfloat16`,
    mend: "use a machine with such a GPU, and set policy.device to it",
    check: { kind: "gpu", gigabytes },
  },
];

/** The policy in its world. */
export interface OpenedPolicy {
  /** What stages that act or train read. */
  readonly checkpoint: Input<"checkpoint">;
  /** None: the hub's cache. */
  readonly tokenizer: readonly Input<"checkpoint">[];
  /** None: unchecked. */
  readonly normStats: readonly Input<"document">[];
  /** Settings of stages that only use LeRobot. */
  readonly bridge: { readonly device: string; readonly plugin: string };
  /** The world with its two cameras. */
  readonly world: WorldSettings;
  /** The same without: the expert and learners of states need none. */
  readonly unseen: WorldSettings;
}

/** Names the policy, or makes a tiny one. */
export function openPolicy(stage: AddStage, h: PolicyShared): OpenedPolicy {
  const { tiny, type, checkpoint, tokenizer, normStats, device } = h.policy;
  const bridge = { device, plugin: tiny ? "lerobot_bridge.tiny" : "" };
  const world = worldOf(h);
  const unseen: WorldSettings = h.simulator === "tabletop"
    ? { name: "tabletop" }
    : { name: "libero", suite: h.suite, protocol: h.protocol };
  if (tiny) {
    const made = stage(tinyLerobot, {}, { lerobot: bridge, type }, { name: "tiny", seed: 0 });
    return { checkpoint: made.checkpoint, tokenizer: [made.tokenizer], normStats: [], bridge, world, unseen };
  }
  return {
    checkpoint: given("checkpoint", checkpoint === "" ? UNNAMED : checkpoint),
    tokenizer: tokenizer === "" ? [] : [given("checkpoint", tokenizer)],
    normStats: normStats === "" ? [] : [given("document", normStats)],
    bridge,
    world,
    unseen,
  };
}

/** The world with cameras over the table and on the wrist. */
function worldOf({ simulator, suite, protocol, camera: { side, renderer } }: PolicyShared): WorldSettings {
  const size = { width: side, height: side };
  if (simulator === "tabletop") {
    return {
      name: "tabletop",
      cameras: [{ name: "agentview", ...size }, { name: "eye_in_hand", ...size }],
    };
  }
  const cameras = liberoCameras.map((name) => ({ name, ...size }));
  return { name: "libero", suite, protocol, cameras, ...(renderer === "osmesa" ? {} : { renderer }) };
}

/** First training initial state of rollouts: behind those of all other experiments. */
const FIRST = 50_000_000;

/** What acting as a stage's parameter needs. */
export const acting = ({ bridge, world }: OpenedPolicy, guidance: number | null) => ({
  ...bridge,
  world,
  guidance,
});

/** Groups of rollouts of the policy on training states, with leave-one-out advantages. */
export function rollOutGroups(
  stage: AddStage,
  h: PolicyShared & { readonly sampling: z.output<typeof collectGroups.parameters>["sampling"] },
  opened: OpenedPolicy,
): { readonly episodes: Handle<"episodes">; readonly groups: Handle<"metrics"> } {
  const { checkpoint, tokenizer, normStats } = opened;
  return stage(collectGroups, { checkpoint, tokenizer, normStats, history: [] }, {
    lerobot: acting(opened, null),
    tasks: [...h.tasks],
    execute: h.policy.execute,
    lanes: h.lanes,
    first: FIRST,
    round: 0,
    sampling: h.sampling,
  }, { name: "groups" });
}

/** Success of a checkpoint on the held-out states of all tasks. */
export function measurePolicy(
  stage: AddStage,
  h: PolicyShared,
  opened: OpenedPolicy,
  { name, checkpoint, guidance = null }: {
    readonly name: string;
    readonly checkpoint: Input<"checkpoint">;
    readonly guidance?: number | null;
  },
): Handle<"evaluation"> {
  const { tokenizer } = opened;
  const blocks = h.tasks.map((task) =>
    stage(evaluateLerobot, { checkpoint, tokenizer, normStats: [] }, {
      lerobot: acting(opened, guidance),
      ...{ task, first: 0, count: h.evaluation.states, noise: 0, execute: h.policy.execute },
    }, {
      name: ["evaluate", name, ...(h.tasks.length > 1 ? [task] : [])].join(".").replaceAll("_", "-"),
      seed: 0,
    }).evaluation
  );
  return stage(joinEvaluations, { blocks }, {}, { name: `evaluation.${name}`, seed: 0 }).evaluation;
}

/** Budgets of a smoke preset on the tabletop with a tiny policy. */
export const policySmoke = {
  "simulator": "tabletop",
  "tasks": ["between_plate_and_ramekin"],
  "policy.tiny": true,
  "policy.device": "cpu",
  "policy.execute": 6,
  "camera.side": 32,
  "lanes": 2,
  "evaluation.states": 1,
} as const;
