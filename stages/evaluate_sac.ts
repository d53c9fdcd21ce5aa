/** Success of a SAC policy on the held-out initial states of its task, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import * as sac from "../rl/sac.ts";
import { runEpisodes } from "./episode_batch.ts";
import { evaluationPlans, evaluationTable, protocol } from "./evaluation_table.ts";
import { SacActor } from "./sac_actor.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The learner state and the scale of its observations. */
export const inputs = { weights: "weights", scale: "normalization" } as const;
/** The success table, and the episodes without observations. */
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({ ...protocol, learner: sac.hyperparameters });

/** Runs the deterministic policy from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lanes, learner } = context.parameters;
  const { tensors } = decodeSafetensors(await Deno.readFile(context.input.weights.path));
  const { state: scale } = decodeNormalizations(await Deno.readFile(context.input.scale.path));
  if (!scale) throw new Error('Cannot open the SAC policy: its normalization must name "state"');
  await using actor = await SacActor.open({ weights: tensors, scale, lanes, hyperparameters: learner });
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers: context.workers });
  const plans = evaluationPlans(world, context.parameters);
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor,
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.evaluation.write(evaluationTable(tried));
  await context.output.episodes.write(encodeEpisodes(tried));
}
