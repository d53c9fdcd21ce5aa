/**
 * PLD on all ten tabletop tasks: one generalist base, a specialist for each task, one distillation of all their data.
 * A night on two cores: some 8 minutes of residual RL for each of the ten tasks and each of the three seeds.
 */
import { z } from "zod";
import { scenes } from "../envs/tabletop_tasks.ts";
import { experiment } from "../lab/experiment.ts";
import { graph, hyperparameters, overrides, smoke } from "./pld_tabletop.ts";

const names = scenes.map(({ task }) => task.name);

/** What `exp run pld-tabletop-suite` runs. */
export default experiment({
  name: "pld-tabletop-suite",
  version: 1,
  summary: "PLD on the ten tabletop tasks: a generalist base, ten specialists, one distillation.",
  seeds: [0, 1, 2],
  hyperparameters: hyperparameters.extend({
    tasks: z.array(z.enum(names)).min(1).default([...names]).describe("tabletop tasks"),
  }),
  overrides: [
    ...overrides,
    {
      path: "base.flow.steps",
      value: 8000,
      reason: "ten times the demonstrations of one task take longer to fit",
    },
    {
      path: "distillation.flow.steps",
      value: 40_000,
      reason: "ten times the data of one task; steps are cheap beside the ten specialists",
    },
  ],
  presets: {
    smoke: {
      ...smoke,
      tasks: ["between_plate_and_ramekin", "table_center"],
    },
  },
  graph,
});
