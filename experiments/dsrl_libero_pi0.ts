/**
 * DSRL-SAC on LIBERO-90's task 57 as its authors publish it: pi0 behind openpi's server, one row of its noise learned from the
 * picture over the table and from the robot's state. It runs where such a server and LIBERO's assets are (docs/openpi.md).
 * `dsrl-libero-90-57` has the same settings on a base of our own that sees states.
 */
import { z } from "zod";
import { protocolNames } from "../envs/libero_protocols.ts";
import { experiment, type Graph } from "../lab/experiment.ts";
import { liberoCameras } from "../policies/openpi.ts";
import {
  openpiServer,
  published,
  remoteShared,
  remoteSmoke,
  renderer,
  steerRemote,
} from "./steering/remote_policy.ts";

const hyperparameters = z.strictObject({
  suite: z.string().regex(/^libero_[a-z0-9_]+$/).default("libero_90").describe("any suite the assets hold"),
  protocol: z.enum(protocolNames).default("ours").describe("step budgets and seeds of evaluation episodes"),
  task: z.string().default("LIVING_ROOM_SCENE3_pick_up_the_cream_cheese_and_put_it_in_the_tray")
    .describe("task of the suite, by the name of its BDDL file"),
  ...remoteShared({ label: "pi0_libero", execute: 20 }),
  camera: z.strictObject({
    side: z.int().min(8).max(1024).default(256).describe("rows and columns of the policy's pictures"),
    renderer,
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

/** What `exp run dsrl-libero-pi0` runs. */
export default experiment({
  name: "dsrl-libero-pi0",
  version: 1,
  summary: "DSRL-SAC with the published settings on LIBERO-90's task 57, on pi0 behind openpi's server.",
  seeds: [0],
  hyperparameters,
  overrides: published("dsrl-libero"),
  needs: openpiServer("pi0_libero"),
  presets: {
    smoke: {
      ...remoteSmoke(120),
      "suite": "libero_spatial",
      "task": "pick_up_the_black_bowl_between_the_plate_and_the_ramekin_and_place_it_on_the_plate",
      "camera.side": 64,
      "online.evaluationEpisodes": 1,
      "evaluation.states": 1,
    },
  },
  graph,
});
