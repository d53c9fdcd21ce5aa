/**
 * DSRL-SAC on LIBERO-90's task 57 as its authors publish it: pi0 behind openpi's server, one row of its noise learned from the
 * picture over the table and from the robot's state. It runs where such a server and LIBERO's assets are (docs/openpi.md).
 * `dsrl-libero-90-57` has the same settings on a base of our own that sees states.
 */
import { z } from "zod";
import { evaluationStates } from "../envs/environment.ts";
import { protocolNames } from "../envs/libero_protocols.ts";
import { experiment, type Graph, type Override } from "../lab/experiment.ts";
import { liberoCameras } from "../policies/openpi.ts";
import * as dsrl from "../rl/dsrl_pixels.ts";
import { presets, valuesOf } from "../rl/dsrl_presets.ts";
import { online } from "../stages/steering_training.ts";
import { openpiServer, remotePolicy, steerRemote } from "./steering/remote_policy.ts";

const hyperparameters = z.strictObject({
  suite: z.string().regex(/^libero_[a-z0-9_]+$/).default("libero_90").describe("any suite the assets hold"),
  protocol: z.enum(protocolNames).default("ours").describe("step budgets and seeds of evaluation episodes"),
  task: z.string().default("LIVING_ROOM_SCENE3_pick_up_the_cream_cheese_and_put_it_in_the_tray")
    .describe("task of the suite, by the name of its BDDL file"),
  policy: remotePolicy("pi0_libero"),
  execute: z.int().min(1).max(50).default(20).describe("actions executed between two queries"),
  camera: z.strictObject({
    side: z.int().min(8).max(1024).default(256).describe("rows and columns of the policy's pictures"),
    renderer: z.enum(["osmesa", "egl"]).default("osmesa")
      .describe("what draws them; egl where there is a GPU"),
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

function graph(
  stage: Parameters<typeof steerRemote>[0],
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const { suite, protocol, camera: { side, renderer } } = h;
  return steerRemote(stage, {
    ...h,
    world: {
      name: "libero",
      suite,
      protocol,
      cameras: liberoCameras.map((name) => ({ name, width: side, height: side })),
      ...(renderer === "osmesa" ? {} : { renderer }),
    },
    seen: [liberoCameras[0]],
  });
}

const { source } = presets["dsrl-libero"];
const overrides: readonly Override[] = Object.entries(valuesOf("dsrl-libero", /^learner\.|^online\./))
  .map(([path, value]) => ({ path, value, reason: `preset dsrl-libero: ${source}` }));

/** What `exp run dsrl-libero-pi0` runs. */
export default experiment({
  name: "dsrl-libero-pi0",
  version: 1,
  summary: "DSRL-SAC with the published settings on LIBERO-90's task 57, on pi0 behind openpi's server.",
  seeds: [0],
  hyperparameters,
  overrides,
  needs: openpiServer("pi0_libero"),
  presets: {
    smoke: {
      "policy.url": "tiny:",
      "policy.label": "tiny random policy of pi0's shape",
      "suite": "libero_spatial",
      "task": "pick_up_the_black_bowl_between_the_plate_and_the_ramekin_and_place_it_on_the_plate",
      "camera.side": 64,
      "edge": 24,
      "lanes": 1,
      "learner.batch": 8,
      "learner.width": 16,
      "learner.critics": 2,
      "learner.buffer": 100,
      "learner.filters": 4,
      "online.steps": 120,
      "online.lanes": 1,
      "online.iterations": 2,
      "online.start": 2,
      "online.updatesPerQuery": 2,
      "online.evaluateEvery": 120,
      "online.evaluationEpisodes": 1,
      "evaluation.states": 1,
    },
  },
  graph,
});
