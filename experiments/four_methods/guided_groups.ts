/** CFG-Flow in `four-methods-tabletop`: rounds of groups under a budget of rollouts, guidance chosen on training states. */
import { z } from "zod";
import type { AddStage, Handle } from "../../lab/experiment.ts";
import * as choose from "../../stages/choose_guidance.ts";
import * as collectGroups from "../../stages/collect_tried_groups.ts";
import * as evaluateGuided from "../../stages/evaluate_guided.ts";
import * as score from "../../stages/score_guidance.ts";
import * as trainCfgFlow from "../../stages/train_cfg_flow.ts";
import {
  first,
  hyperparameters as cfgFlowHyperparameters,
  label,
  type Policy,
  policyOf,
} from "../cfg_flow_tabletop.ts";

const { windows, rounds, learner, guidance } = cfgFlowHyperparameters.shape;

/** How CFG-Flow learns; how many contexts a round tries follows from the budget. */
export const guided = z.strictObject({
  rounds,
  sampling: cfgFlowHyperparameters.shape.sampling.unwrap()
    .omit({ groups: true, attempts: true, dynamic: true }).prefault({}),
  windows: windows.unwrap().omit({ demonstrations: true }).prefault({}),
  learner,
  guidance,
});

/** The rounds on a base, and the evaluation of the last one under the guidance chosen. */
export function guidedGroups(
  stage: AddStage,
  h: z.output<typeof guided>,
  { base, protocol, rollouts, start }: {
    readonly base: Policy;
    /** World, tasks, execute, lanes and the held-out states of every evaluation. */
    readonly protocol:
      & Pick<z.input<typeof collectGroups.parameters>, "world" | "tasks" | "execute" | "lanes">
      & { readonly states: number; readonly noises: number };
    /** Episodes there are for all rounds together. */
    readonly rollouts: number;
    /** Success of the base on the training states that guidances are chosen on. */
    readonly start: Handle<"metrics">;
  },
) {
  const { states: _, noises: __, ...acting } = protocol;
  const attempts = Math.floor(rollouts / h.rounds / h.sampling.rollouts);
  if (attempts < 1) {
    throw new RangeError(
      `Cannot try groups of ${h.sampling.rollouts} in ${h.rounds} rounds of ${rollouts} episodes in all: ` +
        "allow a larger budget or fewer rounds",
    );
  }
  const curves: Record<string, Handle<"metrics">> = {}, progress = [start];
  let policy = base, choice: Handle<"document">[] = [], evaluation: Handle<"evaluation">;
  const episodes: Handle<"episodes">[] = [], history: Handle<"metrics">[] = [];
  for (let round = 0; round < h.rounds; round++) {
    const name = label("cfg-flow", round);
    const collected = stage(collectGroups, { ...policy, choice, history }, {
      ...acting,
      first: first.contexts,
      round,
      sampling: { ...h.sampling, attempts },
      guidance: 1,
    }, { name: label("groups", round) });
    episodes.push(collected.episodes);
    history.push(collected.groups);
    policy = policyOf(stage(trainCfgFlow, {
      ...policy,
      episodes: episodes.slice(-h.windows.memory),
      demonstrations: [],
    }, {
      tasks: protocol.tasks,
      stride: h.windows.stride ?? protocol.execute,
      learner: h.learner,
    }, { name }));
    const evaluations = h.guidance.candidates.map((guidance) =>
      stage(evaluateGuided, policy, { ...protocol, guidance }, {
        name: `evaluate.${name}.s${guidance}`,
        seed: 0,
      }).evaluation
    );
    const scores = h.guidance.candidates.map((guidance) =>
      stage(score, policy, { ...acting, first: first.scores, states: h.guidance.states, guidance }, {
        name: `score.${name}.s${guidance}`,
      }).score
    );
    const chosen = stage(choose, { scores, evaluations }, {}, { name: `choose.${name}` });
    curves[label("groups", round)] = collected.groups;
    curves[name] = chosen.scores;
    progress.push(chosen.scores);
    choice = [chosen.choice];
    evaluation = chosen.evaluation;
  }
  return { evaluation: evaluation!, curves, progress };
}
