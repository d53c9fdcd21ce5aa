/**
 * Chunk-level RL in `four-methods-tabletop`: rounds of rollouts, a critic on chunks by implicit Q-learning on all of them so
 * far, the base's flow weighted by advantages, and the best of N of its proposals, which collects the next round.
 */
import { z } from "zod";
import type { AddStage, Handle } from "../../lab/experiment.ts";
import * as awr from "../../rl/awr.ts";
import * as collectBestOfN from "../../stages/collect_best_of_n.ts";
import * as collectRollouts from "../../stages/collect_rollouts.ts";
import * as evaluateBestOfN from "../../stages/evaluate_best_of_n.ts";
import * as scoreBestOfN from "../../stages/score_best_of_n.ts";
import * as trainChunkCritic from "../../stages/train_chunk_critic.ts";
import * as trainWeightedFlow from "../../stages/train_weighted_flow.ts";
import * as weighChunks from "../../stages/weigh_chunks.ts";
import { FIRST, shared } from "../best_of_n_tabletop.ts";
import { first, label, type Policy, policyOf } from "../cfg_flow_tabletop.ts";

/** How chunk-level RL learns; how many episodes a round has follows from the budget. */
export const chunked = z.strictObject({
  rounds: z.int().min(1).max(20).default(3).describe("rounds of collecting and training; 1 is offline"),
  learner: shared.learner,
  scoring: shared.scoring,
  candidates: z.int().min(1).max(1024).default(16).describe("N, proposals to choose from"),
  policy: awr.hyperparameters.prefault({}),
});

/** First training initial states of a round, behind those of the round before. */
const ROUND = 1_000_000;

/** The rounds on a base, and the evaluation of the last one. */
export function chunkLevel(
  stage: AddStage,
  h: z.output<typeof chunked>,
  { base, task, protocol, rollouts, start, states }: {
    readonly base: Policy;
    readonly task: string;
    /** World, tasks, execute, lanes and the held-out states of every evaluation. */
    readonly protocol:
      & Pick<z.input<typeof evaluateBestOfN.parameters>, "world" | "tasks" | "execute" | "lanes">
      & { readonly states: number; readonly noises: number };
    /** Episodes there are for all rounds together. */
    readonly rollouts: number;
    /** Success of the base on the training states of the curve. */
    readonly start: Handle<"metrics">;
    /** Training states of a point of the curve. */
    readonly states: number;
  },
) {
  const { tasks, execute } = protocol;
  const { horizon, gamma, rewardScale, rewardBias, ends, activation } = h.learner;
  if (horizon !== execute) {
    throw new RangeError(
      `Cannot learn a critic on chunks of ${horizon} actions where the base executes ${execute}: ` +
        "chunkRl.learner.horizon must be base.execute",
    );
  }
  const count = Math.floor(rollouts / h.rounds);
  const { states: _, noises: __, ...acting } = protocol;
  const choosing = { candidates: h.candidates, scoring: { ...h.scoring, activation } };
  const curves: Record<string, Handle<"metrics">> = {}, progress = [start];
  const episodes: Handle<"episodes">[] = [];
  let best: (Policy & { critic: Handle<"weights">; scale: Handle<"normalization"> }) | undefined;
  for (let round = 0; round < h.rounds; round++) {
    const named = (name: string) => ({ name: label(name, round) });
    const collecting = { ...acting, task, episodes: count, first: FIRST + round * ROUND };
    const collected = best
      ? stage(collectBestOfN, best, { ...collecting, ...choosing }, named("rollouts"))
      : stage(collectRollouts, base, collecting, named("rollouts"));
    episodes.push(collected.episodes);
    const data = { episodes: [...episodes], demonstrations: [] };
    const { weights: critic, scale } = stage(
      trainChunkCritic,
      data,
      { tasks, demonstrationShare: 0, learner: h.learner },
      named("chunk-critic"),
    );
    const weighed = stage(weighChunks, { critic, scale, ...data }, {
      tasks,
      learner: { horizon, gamma, rewardScale, rewardBias, ends, activation },
      betas: [h.policy.inverseTemperature],
      cap: h.policy.cap,
    }, named("weights"));
    const weighted = stage(trainWeightedFlow, { ...base, ...data, advantages: [weighed.advantages] }, {
      tasks,
      keep: "all",
      demonstrationShare: 0,
      learner: h.policy,
    }, named("weighted"));
    best = { ...policyOf(weighted), critic, scale };
    const scored = stage(scoreBestOfN, best, { ...acting, ...choosing, first: first.scores, states }, {
      name: label("score.chunk-rl", round),
    });
    progress.push(scored.score);
    curves[label("weights", round)] = weighed.weighting;
  }
  const { evaluation } = stage(evaluateBestOfN, best!, { ...protocol, ...choosing }, {
    name: "evaluate.chunk-rl",
    seed: 0,
  });
  return { evaluation, curves, progress };
}
