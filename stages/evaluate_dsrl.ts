/** Success of a steered policy on held-out initial states, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import { actorForm } from "../rl/noise_actor.ts";
import { noiseRows } from "../rl/steering_noise.ts";
import { outputs } from "./evaluation.ts";
import { scaleOf } from "./online_outputs.ts";
import { NoiseActor } from "./steered_base.ts";
import { evaluateSteered, sampled, steered } from "./steered_evaluation.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base and its units; the learner state that steers it and the scale of its observations. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  actor: "weights",
  scale: "normalization",
} as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  ...steered,
  actor: actorForm.describe("the noise actor"),
  sampled,
});

/** Runs the steered base from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lanes, noise, actor: form, sampled } = context.parameters;
  const { tensors } = decodeSafetensors(await Deno.readFile(context.input.actor.path));
  const scale = scaleOf(
    decodeNormalizations(await Deno.readFile(context.input.scale.path)),
    context.input.scale,
  );
  await evaluateSteered(context, (horizon) => {
    const width = noiseRows(noise, horizon) * 7;
    return NoiseActor.open({ weights: tensors, scale, lanes, width, form, sampled });
  });
}
