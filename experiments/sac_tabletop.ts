/**
 * The control of PLD on the tabletop: SAC from scratch with the same rewards, networks and budget of environment
 * steps, and no base policy. What it does not reach is what the base brings.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph } from "../lab/experiment.ts";
import * as sac from "../rl/sac.ts";
import * as clone from "../stages/clone.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import * as evaluate from "../stages/evaluate.ts";
import * as evaluateSac from "../stages/evaluate_sac.ts";
import * as trainSac from "../stages/train_sac.ts";
import pld, { hyperparameters as pldHyperparameters, smoke, tabletop as world } from "./pld_tabletop.ts";

const { lanes, demonstrations, base, evaluation } = pldHyperparameters.shape;

const hyperparameters = z.strictObject({
  task: pldHyperparameters.shape.tasks.unwrap().element.default("between_plate_and_ramekin")
    .describe("tabletop task"),
  lanes,
  demonstrations,
  base,
  learner: sac.hyperparameters.prefault({}),
  online: trainSac.online.prefault({}),
  evaluation,
});

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const { task, lanes, base: { horizon, execute } } = h;
  const tasks = [task];
  const demonstrations = stage(demonstrate, {}, {
    world,
    task,
    episodes: h.demonstrations.episodes,
    first: 0,
    lanes: 8,
  }, { name: "demonstrations", seed: h.demonstrations.seed }).episodes;
  const base = stage(clone, { demonstrations: [demonstrations] }, { tasks, horizon, flow: h.base.flow }, {
    name: "base",
  });
  const before = stage(
    evaluate,
    {
      weights: base.weights,
      normalization: base.normalization,
      residuals: [],
      scales: [],
    },
    { world, tasks, ...h.evaluation, execute, lanes },
    { name: "evaluate.base", seed: 0 },
  );
  const scratch = stage(trainSac, { demonstrations }, {
    world,
    task,
    first: 1_000_000,
    learner: h.learner,
    online: h.online,
  }, { name: "sac" });
  const after = stage(evaluateSac, { weights: scratch.weights, scale: scratch.scale }, {
    world,
    tasks,
    ...h.evaluation,
    lanes,
    learner: h.learner,
  }, { name: "evaluate.sac", seed: 0 });
  return {
    evaluations: { base: before.evaluation, sac: after.evaluation },
    curves: { sac: scratch.curve },
  };
}

/** The overrides that PLD makes of the values both share, so that the comparison is of methods alone. */
const shared = ["learner.rewardScale", "learner.initialTemperature", "learner.targetEntropy"];
const online = ["online.steps"];

/** What `exp run sac-tabletop` runs. */
export default experiment({
  name: "sac-tabletop",
  version: 1,
  summary:
    "SAC from scratch on a tabletop task, with the budget PLD's specialist has: the control without a base.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides: (pld.overrides ?? []).filter(({ path }) => [...shared, ...online].includes(path)),
  presets: {
    smoke: Object.fromEntries(
      Object.entries(smoke).filter(([path]) =>
        /^(lanes|demonstrations|base|online|evaluation)\b/.test(path) || path === "learner.batch"
      ),
    ),
  },
  graph,
});
