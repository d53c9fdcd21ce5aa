/** Success of a SAC policy on the held-out initial states of its task, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import * as sac from "../rl/sac.ts";
import { evaluateActor, outputs } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { SacActor } from "./sac_actor.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The learner state and the scale of its observations. */
export const inputs = { weights: "weights", scale: "normalization" } as const;
export { outputs };

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
  await evaluateActor(context, actor, await openWorld(context.parameters.world));
}
