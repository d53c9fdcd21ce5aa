/**
 * The baseline of `cfg-flow-tabletop` with rounds of its own: advantage-weighted regression of the flow policy on
 * groups of rollouts with leave-one-out advantages, collected by the newest policy of its own chain.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle } from "../lab/experiment.ts";
import * as awr from "../rl/awr.ts";
import * as collectGroups from "../stages/collect_groups.ts";
import * as trainAwr from "../stages/train_awr.ts";
import {
  cloneBase,
  first,
  label,
  learnerOverrides,
  learnerSmoke,
  lessons,
  policyOf,
  shared,
  sharedOverrides,
  sharedSmoke,
} from "./cfg_flow_tabletop.ts";
import { tabletop as world } from "./pld_tabletop.ts";

const hyperparameters = z.strictObject({ ...shared, learner: awr.hyperparameters.prefault({}) });

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const acting = { world, tasks: [...h.tasks], execute: h.base.execute, lanes: h.lanes };
  const { base, demonstrations, measure } = cloneBase(stage, h, world);
  const evaluations: Record<string, Handle<"evaluation">> = { base: measure("base", base) };
  const curves: Record<string, Handle<"metrics">> = {};
  let policy = base;
  const episodes: Handle<"episodes">[] = [], history: Handle<"metrics">[] = [];
  for (let round = 0; round < h.rounds; round++) {
    const collected = stage(collectGroups, { ...policy, choice: [], history }, {
      ...acting,
      first: first.contexts,
      round,
      sampling: h.sampling,
      guidance: 1,
    }, { name: label("groups", round) });
    episodes.push(collected.episodes);
    history.push(collected.groups);
    curves[label("groups", round)] = collected.groups;
    const { inputs, parameters } = lessons(h, episodes, demonstrations);
    const name = label("awr", round);
    policy = policyOf(
      stage(trainAwr, { ...policy, ...inputs }, { ...parameters, learner: h.learner }, { name }),
    );
    evaluations[name] = measure(name, policy);
  }
  return { evaluations, curves };
}

/** What `exp run awr-tabletop` runs. */
export default experiment({
  name: "awr-tabletop",
  version: 1,
  summary:
    "Advantage-weighted regression on one tabletop task, in rounds: the baseline of cfg-flow-tabletop.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides: [...sharedOverrides, ...learnerOverrides("learner")],
  presets: { smoke: { ...sharedSmoke, ...learnerSmoke("learner") } },
  graph,
});
