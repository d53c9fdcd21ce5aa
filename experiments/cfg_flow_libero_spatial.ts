/**
 * RIPT with CFG-Flow on the real LIBERO-Spatial: the graph of `cfg-flow-tabletop`, acted out in the benchmark that papers
 * report. The policies see states (proprioception and object poses), not images, and reports say so.
 */
import { z } from "zod";
import { protocolNames } from "../envs/libero_protocols.ts";
import { experiment } from "../lab/experiment.ts";
import { graph, hyperparameters as onTabletop, overrides, smoke } from "./cfg_flow_tabletop.ts";

const fromTo = (where: string) => `pick_up_the_black_bowl_${where}_and_place_it_on_the_plate`;

const hyperparameters = onTabletop.extend({
  suite: z.string().regex(/^libero_[a-z0-9_]+$/).default("libero_spatial")
    .describe("any suite the assets hold; its tasks, objects and fixtures are read from there"),
  protocol: z.enum(protocolNames).default("ours").describe("step budgets and seeds of evaluation episodes"),
  tasks: z.array(z.string()).min(1).refine((names) => new Set(names).size === names.length, "each task once")
    .default([fromTo("between_the_plate_and_the_ramekin"), fromTo("next_to_the_plate")])
    .describe("tasks of the suite, by the names of their BDDL files"),
});

/** What `exp run cfg-flow-libero-spatial` runs. */
export default experiment({
  name: "cfg-flow-libero-spatial",
  version: 1,
  summary:
    "RIPT with CFG-Flow on tasks of the real LIBERO-Spatial, from states: groups of rollouts, guided flow matching, " +
    "every guidance, the branches alone, the advantage as weight, and advantage-weighted regression.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides: [...overrides, { path: "lanes", value: 4, reason: "each lane is a process of 0.7 GB" }],
  presets: {
    smoke: { ...smoke, "tasks": [fromTo("between_the_plate_and_the_ramekin")], "lanes": 2 },
  },
  graph: (stage, { hyperparameters }) => {
    const { suite, protocol } = hyperparameters;
    return graph(stage, { hyperparameters, world: { name: "libero", suite, protocol } });
  },
});
