/** The part of a steering experiment where the base is a policy behind openpi's protocol. */
import { z } from "zod";
import { evaluationStates } from "../../envs/environment.ts";
import type { AddStage, Graph, Handle, Need, Override } from "../../lab/experiment.ts";
import * as dsrl from "../../rl/dsrl_pixels.ts";
import { presets, valuesOf } from "../../rl/dsrl_presets.ts";
import * as evaluateRemote from "../../stages/evaluate_dsrl_remote.ts";
import { online } from "../../stages/steering_training.ts";
import * as trainRemote from "../../stages/train_dsrl_remote.ts";
import type { WorldSettings } from "../../stages/world.ts";

/** Where the policy is. */
const remotePolicy = (label: string) =>
  z.strictObject({
    url: z.string().regex(/^wss?:\/\/[^/]|^tiny:$/, "expected ws://host:port or tiny:").default(
      "ws://127.0.0.1:8000",
    )
      .describe("policy server that speaks openpi's protocol and takes noise; its API key: OPENPI_API_KEY"),
    label: z.string().min(1).default(label).describe("what it serves: part of the keys"),
    horizon: z.int().min(1).max(1000).default(50).describe("rows of its noise"),
    noise: z.int().min(1).max(4096).default(32).describe("numbers of a row of its noise"),
  }).prefault({});

/** What all such experiments can be told: `label` names the checkpoint, `execute` its chunks' executed part unless told. */
export const remoteShared = ({ label, execute }: { readonly label: string; readonly execute: number }) => ({
  policy: remotePolicy(label),
  execute: z.int().min(1).max(50).default(execute).describe("actions executed between two queries"),
  edge: z.int().min(17).max(512).default(64).describe("rows and columns of the learner's picture"),
  lanes: z.int().min(1).max(64).default(4).describe("episodes of an evaluation stepped together"),
  learner: dsrl.hyperparameters.prefault({}),
  online: online.prefault({}),
  evaluation: z.strictObject({
    states: z.int().min(1).max(evaluationStates).default(50).describe("fixed evaluation states"),
    noises: z.int().min(1).max(100).default(1).describe("noise streams; each state is run once under each"),
  }).prefault({}),
} as const);

/** What draws the policy's pictures. */
export const renderer = z.enum(["osmesa", "egl"]).default("osmesa")
  .describe("what draws the pictures; egl where there is a GPU");

/** The published settings of the learner and of its online phase. */
export function published(name: "dsrl-aloha" | "dsrl-libero"): readonly Override[] {
  return Object.entries(valuesOf(name, /^learner\.|^online\./))
    .map(([path, value]) => ({ path, value, reason: `preset ${name}: ${presets[name].source}` }));
}

/** A tiny policy that needs no server, and `steps` steps of a learner that fits a processor. */
export const remoteSmoke = (steps: number) => ({
  "policy.url": "tiny:",
  "policy.label": "tiny random policy of pi0's shape",
  "edge": 24,
  "lanes": 1,
  "learner.batch": 8,
  "learner.width": 16,
  "learner.critics": 2,
  "learner.buffer": 100,
  "learner.filters": 4,
  "online.steps": steps,
  "online.lanes": 1,
  "online.iterations": 2,
  "online.start": 2,
  "online.updatesPerQuery": 2,
  "online.evaluateEvery": steps,
});

/** What an openpi server of a checkpoint needs. Its own server takes no noise: infer(obs, noise=obs.pop("noise", None)) does. */
export const openpiServer = (config: string): readonly Need[] => [
  {
    name: "policy server",
    detail:
      `openpi's server of ${config}, which passes "noise" of the observation on to policy.infer (docs/openpi.md)`,
    mend:
      `in an openpi checkout: uv run scripts/serve_policy.py policy:checkpoint --policy.config=${config} ` +
      `--policy.dir=gs://openpi-assets/checkpoints/${config}`,
  },
  {
    name: "policy server's gpu",
    detail: "pi0 in bfloat16 takes 8 GB where its server runs, here or elsewhere",
    mend: "run the server on a machine with a GPU, and set policy.url to it",
    check: { kind: "gpu", gigabytes: 8 },
  },
];

/** What steering needs of an experiment's hyperparameters. */
export type RemoteHyperparameters = z.output<z.ZodObject<ReturnType<typeof remoteShared>>> & {
  readonly task: string;
};

/** First training initial state of steering, as on the tabletop. */
const FIRST = 20_000_000;

/**
 * DSRL-SAC on a remote policy from pictures: the policy as it is ("base", noise in all rows), under one drawn row and under
 * none, then steered.
 */
export function steerRemote(
  stage: AddStage,
  h: RemoteHyperparameters & { readonly world: WorldSettings; readonly seen: string[] },
): Graph {
  const { task, policy: { url, label, horizon, noise }, world, seen, edge, execute, learner } = h;
  const remote = {
    served: { world, url, label },
    execute,
    noise: [horizon, noise] as [number, number],
    seen,
    edge,
  };
  const trained = stage(
    trainRemote,
    {},
    { ...remote, task, first: FIRST, learner, online: h.online },
    { name: "dsrl" },
  );
  const protocol = { tasks: [task], ...h.evaluation, lanes: h.lanes, actor: dsrl.actorFormOf(learner) };
  const evaluate = (
    name: string,
    w: "learned" | "sampled" | "full" | "drawn" | "zero",
  ): Handle<"evaluation"> =>
    stage(
      evaluateRemote,
      { actor: w === "learned" || w === "sampled" ? [trained.weights] : [] },
      { ...remote, ...protocol, w },
      { name: `evaluate.${name}`, seed: 0 },
    ).evaluation;
  return {
    evaluations: {
      base: evaluate("base", "full"),
      "noise-drawn": evaluate("noise-drawn", "drawn"),
      "noise-zero": evaluate("noise-zero", "zero"),
      dsrl: evaluate("dsrl", "learned"),
      "dsrl-sampled": evaluate("dsrl-sampled", "sampled"),
    },
    curves: { dsrl: trained.curve },
    comparisons: [{ after: "dsrl", before: "noise-drawn" }],
  };
}
