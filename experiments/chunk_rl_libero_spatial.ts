/**
 * Offline chunk-level RL on the real LIBERO-Spatial: the graph of `chunk-rl-tabletop`, acted out in the benchmark that
 * papers report. Policies and critics see states (proprioception and object poses), not images, and reports say so.
 */
import { z } from "zod";
import { protocolNames } from "../envs/libero_protocols.ts";
import { experiment } from "../lab/experiment.ts";
import { graph, hyperparameters as onTabletop, overrides, smoke } from "./chunk_rl_tabletop.ts";

const fromTo = (where: string) => `pick_up_the_black_bowl_${where}_and_place_it_on_the_plate`;

const hyperparameters = onTabletop.extend({
  suite: z.string().regex(/^libero_[a-z0-9_]+$/).default("libero_spatial")
    .describe("any suite the assets hold; its tasks, objects and fixtures are read from there"),
  protocol: z.enum(protocolNames).default("ours").describe("step budgets and seeds of evaluation episodes"),
  tasks: z.array(z.string()).min(1).refine((names) => new Set(names).size === names.length, "each task once")
    .default([fromTo("between_the_plate_and_the_ramekin"), fromTo("next_to_the_plate")])
    .describe("tasks of the suite, by the names of their BDDL files; one critic serves them all"),
});

/** What `exp run chunk-rl-libero-spatial` runs. */
export default experiment({
  name: "chunk-rl-libero-spatial",
  version: 1,
  summary:
    "Offline chunk-level RL on tasks of the real LIBERO-Spatial, from states: IQL on chunks of a few-shot base, " +
    "weighted flow matching, the best of N, and cloning the successes.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides: [
    ...overrides,
    { path: "lanes", value: 4, reason: "each lane is a process of 0.7 GB" },
    { path: "rollouts.episodes", value: 150, reason: "a control step costs 20 times one of the tabletop" },
    { path: "evaluation.noises", value: 1, reason: "50 episodes a task, as the benchmark's users report" },
    {
      path: "demonstrations.seed",
      value: 0,
      reason: "not chosen: any seed serves, the number of demonstrations sets the base",
    },
  ],
  presets: {
    smoke: { ...smoke, "tasks": [fromTo("between_the_plate_and_the_ramekin")], "lanes": 2 },
  },
  graph: (stage, { hyperparameters }) => {
    const { suite, protocol } = hyperparameters;
    return graph(stage, { hyperparameters, world: { name: "libero", suite, protocol } });
  },
});
