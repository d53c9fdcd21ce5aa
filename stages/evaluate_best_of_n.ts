/** Success of the best of N on held-out initial states, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { scoring } from "../rl/best_of_n.ts";
import { BestOfN, ChunkScorer } from "./best_of_n_lanes.ts";
import { readScale } from "./chunk_data.ts";
import { readPolicy } from "./chunked_base.ts";
import { runEpisodes } from "./episode_batch.ts";
import { evaluationPlans, evaluationTable, protocol } from "./evaluation_table.ts";
import { ACTING_THREADS } from "./rollout.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy that proposes and its units; the critics on chunks and the scale of their states. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  critic: "weights",
  scale: "normalization",
} as const;
/** The success table, and the episodes without observations. */
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  ...protocol,
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  candidates: z.int().min(1).max(1024).describe("N, chunks to choose from; 1 is the policy itself"),
  scoring,
});

/** Runs the policy from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, execute, lanes, candidates, scoring: how } = context.parameters;
  const { input, seed } = context;
  const stored = await readPolicy(input.weights, input.normalization);
  await using policy = await FlowPolicy.open(stored.weights, stored.normalization, {
    batch: lanes * candidates,
    execute,
    threads: ACTING_THREADS,
  });
  const { tensors: weights } = decodeSafetensors(await Deno.readFile(input.critic.path));
  const scale = await readScale(input.scale);
  await using scorer = await ChunkScorer.open({ weights, scale, lanes, candidates, how });
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const plans = evaluationPlans(world, context.parameters);
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: new BestOfN(policy, scorer, { seed, tasks }),
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.evaluation.write(evaluationTable(tried));
  await context.output.episodes.write(encodeEpisodes(tried));
}
