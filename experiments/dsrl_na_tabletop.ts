/**
 * DSRL-NA beside DSRL-SAC on the embedded tabletop, on the same base and with the same budget of environment steps:
 * does a critic on executed chunks, distilled into one on noise, need fewer of them?
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Override } from "../lab/experiment.ts";
import * as dsrl from "../rl/dsrl.ts";
import * as na from "../rl/dsrl_na.ts";
import * as trainNa from "../stages/train_dsrl_na.ts";
import {
  evaluateSteering,
  expectations,
  overrides as sacOverrides,
  type Shared,
  shared,
  smoke,
  steered,
  steeredBase,
} from "./dsrl_tabletop.ts";

const hyperparameters = z.strictObject({
  ...shared,
  learner: dsrl.hyperparameters.prefault({}).describe("of DSRL-SAC"),
  na: na.hyperparameters.prefault({}).describe("of DSRL-NA"),
});

/** DSRL-NA on the shared base, evaluated. */
export function steeredByActions(
  stage: AddStage,
  h: Pick<Shared, "noise"> & { readonly na: na.Hyperparameters },
  start: ReturnType<typeof steeredBase>,
) {
  const inputs = { ...start.policy, demonstrations: start.demonstrations };
  const trained = stage(trainNa, inputs, { ...start.training, learner: h.na }, { name: "dsrl-na" });
  const evaluations = evaluateSteering(stage, {
    ...start,
    trained,
    noise: h.noise,
    actor: h.na,
    name: "dsrl-na",
  });
  return { evaluations, curves: { "dsrl-na": trained.curve } };
}

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const start = steeredBase(stage, h);
  const sac = steered(stage, h, start), actions = steeredByActions(stage, h, start);
  return {
    evaluations: { ...start.evaluations, ...sac.evaluations, ...actions.evaluations },
    curves: { ...sac.curves, ...actions.curves },
    comparisons: [{ after: "dsrl-na", before: "dsrl" }],
    expectations,
  };
}

/** As DSRL-SAC on this scene, so that only the method differs; its reductions are the method's own. */
export const naOverrides: readonly Override[] = [
  ...sacOverrides
    .filter(({ path }) =>
      /^learner\./.test(path) && !/reduction|critics|activation|actorLayerNorm/.test(path)
    )
    .filter(({ path }) => !/magnitude/.test(path))
    .map(({ path, value }) => ({
      path: path.replace("learner.", "na."),
      value,
      reason: "as DSRL-SAC beside it, so that only the method differs",
    })),
  { path: "na.buffer", value: 25_000, reason: "as DSRL-SAC beside it, so that only the method differs" },
  { path: "na.targetEntropy", value: -3.5, reason: "as DSRL-SAC beside it: minus half the dimension" },
];

/** What `exp run dsrl-na-tabletop` runs. */
export default experiment({
  name: "dsrl-na-tabletop",
  version: 1,
  summary: "DSRL-NA beside DSRL-SAC on one tabletop task, at equal environment steps.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides: [...sacOverrides, ...naOverrides],
  presets: { smoke: { ...smoke, "na.batch": 32, "na.width": 32 } },
  graph,
});
