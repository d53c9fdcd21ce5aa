/** Evaluates learner states of QC and QC-FQL by the protocol of `evaluate.ts`. */
import { decodeNormalizations } from "../data/normalization.ts";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import type { ChunkLearner } from "../rl/qc.ts";
import { type ChunkMethod, openActor, readUnits } from "./chunk_training.ts";
import { runEpisodes } from "./episode_batch.ts";
import { evaluationPlans, evaluationTable } from "./evaluation_table.ts";
import { scaleOf } from "./online_outputs.ts";
import { openWorld, type WorldSettings } from "./world.ts";

/** A learner state, the units of its flow, and the scale of its critics' states. */
export const inputs = { weights: "weights", normalization: "normalization", scale: "normalization" } as const;
/** The success table, and the episodes without observations. */
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

/** What such a stage is told: the protocol, and its learner's settings. */
export interface Parameters<H> {
  readonly world: WorldSettings;
  readonly tasks: string[];
  readonly states: number;
  readonly noises: number;
  readonly lanes: number;
  readonly learner: H;
}

/** Acts from every held-out state with the best of `candidates` proposals. */
export async function evaluateChunks<H extends ChunkLearner>(
  context: StageContext<typeof inputs, typeof outputs, Parameters<H>>,
  method: ChunkMethod<H>,
  candidates: number,
): Promise<void> {
  const { input, seed, parameters: { tasks, lanes, learner: h } } = context;
  const { tensors: weights } = decodeSafetensors(await Deno.readFile(input.weights.path));
  const units = await readUnits(input.normalization);
  const scale = scaleOf(decodeNormalizations(await Deno.readFile(input.scale.path)), input.scale);
  const options = { weights, lanes, candidates, view: { scale, tasks }, units, h, seed };
  await using acts = await openActor(method, options);
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const plans = evaluationPlans(world, context.parameters);
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: acts.actor,
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.evaluation.write(evaluationTable(tried));
  await context.output.episodes.write(encodeEpisodes(tried));
}
