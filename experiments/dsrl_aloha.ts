/**
 * DSRL-SAC on ALOHA's transfer cube, as its authors publish it: pi0 behind openpi's server, one row of its noise learned from
 * the picture from the top and from 14 joint positions. It runs where such a server is (docs/openpi.md); the preset smoke
 * takes a tiny policy of pi0's shape that needs no checkpoint, and tells nothing about robots.
 */
import { z } from "zod";
import { experiment, type Graph } from "../lab/experiment.ts";
import {
  openpiServer,
  published,
  remoteShared,
  remoteSmoke,
  renderer,
  steerRemote,
} from "./steering/remote_policy.ts";

const hyperparameters = z.strictObject({
  task: z.enum(["transfer_cube", "insertion"]).default("transfer_cube").describe("task of gym-aloha"),
  ...remoteShared({ label: "pi0_aloha_sim", execute: 50 }),
  steps: z.int().min(1).max(2000).default(400).describe("step budget of an episode, as in the public code"),
  camera: z.strictObject({
    width: z.int().min(8).max(640).default(640).describe("pixels in a row of the policy's picture"),
    height: z.int().min(8).max(480).default(480).describe("its rows"),
    renderer,
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

/** What `exp run dsrl-aloha` runs. */
export default experiment({
  name: "dsrl-aloha",
  version: 1,
  summary: "DSRL-SAC with the published settings on ALOHA's transfer cube, on pi0 behind openpi's server.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides: published("dsrl-aloha"),
  needs: openpiServer("pi0_aloha_sim"),
  presets: {
    smoke: {
      ...remoteSmoke(80),
      "steps": 20,
      "execute": 10,
      "camera.width": 64,
      "camera.height": 48,
      "online.evaluationEpisodes": 2,
      "evaluation.states": 2,
    },
  },
  graph,
});
