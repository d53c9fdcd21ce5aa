/** The part of a steering experiment where the base is a policy behind openpi's protocol. */
import { z } from "zod";
import type { AddStage, Graph, Handle, Need } from "../../lab/experiment.ts";
import { actorFormOf, type Hyperparameters } from "../../rl/dsrl_pixels.ts";
import * as evaluateRemote from "../../stages/evaluate_dsrl_remote.ts";
import type { online } from "../../stages/steering_training.ts";
import * as trainRemote from "../../stages/train_dsrl_remote.ts";
import type { WorldSettings } from "../../stages/world.ts";

/** Where the policy is. */
export const remotePolicy = (label: string) =>
  z.strictObject({
    url: z.string().regex(/^wss?:\/\/[^/]|^tiny:$/, "expected ws://host:port or tiny:").default(
      "ws://127.0.0.1:8000",
    )
      .describe("policy server that speaks openpi's protocol and takes noise; its API key: OPENPI_API_KEY"),
    label: z.string().min(1).default(label).describe("what it serves: part of the keys"),
    horizon: z.int().min(1).max(1000).default(50).describe("rows of its noise"),
    noise: z.int().min(1).max(4096).default(32).describe("numbers of a row of its noise"),
  }).prefault({});

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
export interface RemoteHyperparameters {
  readonly task: string;
  readonly policy: z.output<ReturnType<typeof remotePolicy>>;
  readonly execute: number;
  readonly edge: number;
  readonly lanes: number;
  readonly learner: Hyperparameters;
  readonly online: z.output<typeof online>;
  readonly evaluation: { readonly states: number; readonly noises: number };
}

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
  const protocol = { tasks: [task], ...h.evaluation, lanes: h.lanes, actor: actorFormOf(learner) };
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
