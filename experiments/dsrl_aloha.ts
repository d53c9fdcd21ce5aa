/**
 * DSRL-SAC on ALOHA's transfer cube, as its authors publish it: pi0 behind openpi's server, one row of its noise learned from
 * the picture from the top and from 14 joint positions. It runs where such a server is (docs/openpi.md); the preset smoke
 * takes a tiny policy of pi0's shape that needs no checkpoint, and tells nothing about robots.
 */
import { z } from "zod";
import { evaluationStates } from "../envs/environment.ts";
import { experiment, type Graph, type Override } from "../lab/experiment.ts";
import * as dsrl from "../rl/dsrl_pixels.ts";
import { presets, valuesOf } from "../rl/dsrl_presets.ts";
import { openpiServer, remotePolicy, steerRemote } from "./steering/remote_policy.ts";
import { online } from "../stages/steering_training.ts";

const hyperparameters = z.strictObject({
  task: z.enum(["transfer_cube", "insertion"]).default("transfer_cube").describe("task of gym-aloha"),
  policy: remotePolicy("pi0_aloha_sim"),
  execute: z.int().min(1).max(50).default(50).describe("actions executed between two queries"),
  steps: z.int().min(1).max(2000).default(400).describe("step budget of an episode, as in the public code"),
  camera: z.strictObject({
    width: z.int().min(8).max(640).default(640).describe("pixels in a row of the policy's picture"),
    height: z.int().min(8).max(480).default(480).describe("its rows"),
    renderer: z.enum(["osmesa", "egl"]).default("osmesa").describe("what draws it; egl where there is a GPU"),
  }).prefault({}),
  edge: z.int().min(17).max(512).default(64).describe("rows and columns of the learner's picture"),
  lanes: z.int().min(1).max(64).default(4).describe("episodes of an evaluation stepped together"),
  learner: dsrl.hyperparameters.prefault({}),
  online: online.prefault({}),
  evaluation: z.strictObject({
    states: z.int().min(1).max(evaluationStates).default(50).describe("fixed evaluation states"),
    noises: z.int().min(1).max(100).default(1).describe("noise streams; each state is run once under each"),
  }).prefault({}),
});

/** Fixed evaluation states and training states are other seeds of the same sampler. */
function graph(
  stage: Parameters<typeof steerRemote>[0],
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const { width, height, renderer } = h.camera;
  return steerRemote(stage, {
    ...h,
    world: {
      name: "aloha",
      steps: h.steps,
      every: h.execute,
      cameras: [{ name: "top", width, height }],
      ...(renderer === "osmesa" ? {} : { renderer }),
    },
    seen: ["top"],
  });
}

const { source } = presets["dsrl-aloha"];
const overrides: readonly Override[] = Object.entries(valuesOf("dsrl-aloha", /^learner\.|^online\./))
  .map(([path, value]) => ({ path, value, reason: `preset dsrl-aloha: ${source}` }));

/** What `exp run dsrl-aloha` runs. */
export default experiment({
  name: "dsrl-aloha",
  version: 1,
  summary: "DSRL-SAC with the published settings on ALOHA's transfer cube, on pi0 behind openpi's server.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides,
  needs: openpiServer("pi0_aloha_sim"),
  presets: {
    smoke: {
      "policy.url": "tiny:",
      "policy.label": "tiny random policy of pi0's shape",
      "steps": 20,
      "execute": 10,
      "camera.width": 64,
      "camera.height": 48,
      "edge": 24,
      "lanes": 1,
      "learner.batch": 8,
      "learner.width": 16,
      "learner.critics": 2,
      "learner.buffer": 100,
      "learner.filters": 4,
      "online.steps": 80,
      "online.lanes": 1,
      "online.iterations": 2,
      "online.start": 2,
      "online.updatesPerQuery": 2,
      "online.evaluateEvery": 80,
      "online.evaluationEpisodes": 2,
      "evaluation.states": 2,
    },
  },
  graph,
});
