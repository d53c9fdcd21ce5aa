/** Evaluates learner states of QC and QC-FQL by the protocol of `evaluate.ts`. */
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import type { ChunkLearner } from "../rl/qc.ts";
import { type ChunkMethod, openActor, readUnits } from "./chunk_training.ts";
import { evaluateActor, outputs } from "./evaluation.ts";
import { scaleOf } from "./online_outputs.ts";
import { openWorld, type WorldSettings } from "./world.ts";

/** A learner state, the units of its flow, and the scale of its critics' states. */
export const inputs = { weights: "weights", normalization: "normalization", scale: "normalization" } as const;
export { outputs };

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
  await evaluateActor(context, acts.actor, await openWorld(context.parameters.world));
}
