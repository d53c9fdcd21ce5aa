/**
 * DSRL-SAC on the task its authors publish: LIBERO-90, task 57, with the settings of their script. There the base is
 * pi0; here it is a flow policy cloned from scripted demonstrations that sees states, so the figures are not those of
 * the paper (about 20 % to about 100 % after some 50,000 to 100,000 environment steps). The chunk of 50 actions, the
 * query every 20, the repeated row and the learner are theirs.
 */
import { z } from "zod";
import { protocolNames } from "../envs/libero_protocols.ts";
import { type AddStage, experiment, type Graph, type Override } from "../lab/experiment.ts";
import * as dsrl from "../rl/dsrl.ts";
import { presets, valuesOf } from "../rl/dsrl_presets.ts";
import { expectations, shared, smoke as tabletopSmoke, steered, steeredBase } from "./dsrl_tabletop.ts";

const hyperparameters = z.strictObject({
  ...shared,
  suite: z.string().regex(/^libero_[a-z0-9_]+$/).default("libero_90")
    .describe("any suite the assets hold; its tasks, objects and fixtures are read from there"),
  protocol: z.enum(protocolNames).default("ours").describe("step budgets and seeds of evaluation episodes"),
  task: z.string().default("LIVING_ROOM_SCENE3_pick_up_the_cream_cheese_and_put_it_in_the_tray")
    .describe("task of the suite, by the name of its BDDL file"),
  learner: dsrl.hyperparameters.prefault({}),
});

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const { suite, protocol } = h;
  const start = steeredBase(stage, h, { name: "libero", suite, protocol });
  const { evaluations, curves } = steered(stage, h, start);
  return {
    evaluations: { ...start.evaluations, ...evaluations },
    curves,
    comparisons: [{ after: "dsrl", before: "noise-zero" }],
    expectations,
  };
}

const { source } = presets["dsrl-libero"];

/** The published values that are not the defaults, and what a base of our own needs. */
const overrides: readonly Override[] = [
  ...Object.entries(valuesOf("dsrl-libero", /^base\.|^online\.(evaluate|evaluation)/))
    .map(([path, value]) => ({ path, value, reason: `preset dsrl-libero: ${source}` })),
  { path: "base.horizon", value: 50, reason: "pi0's chunk" },
  { path: "demonstrations.episodes", value: 10, reason: "few, so that there is something to improve" },
  { path: "lanes", value: 4, reason: "each lane is a process of 0.7 GB" },
  { path: "online.steps", value: 100_000, reason: "published runs stand near 100 % after 50,000 to 100,000" },
  { path: "online.lanes", value: 4, reason: "one there; four processes step at once" },
];

/** What `exp run dsrl-libero-90-57` runs. */
export default experiment({
  name: "dsrl-libero-90-57",
  version: 1,
  summary: "DSRL-SAC with the published settings on LIBERO-90's task 57, from states, on a cloned flow base.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides,
  presets: {
    smoke: {
      ...tabletopSmoke,
      "suite": "libero_spatial",
      "task": "pick_up_the_black_bowl_between_the_plate_and_the_ramekin_and_place_it_on_the_plate",
      "demonstrations.episodes": 2,
      "lanes": 2,
      "online.lanes": 2,
      "online.steps": 440,
      "online.start": 10,
      "online.evaluateEvery": 440,
      "online.evaluationEpisodes": 2,
      "evaluation.states": 2,
    },
  },
  graph,
});
