/** Success of a policy steered from pictures on held-out initial states, by the protocol of `evaluate.ts`. */
import { z } from "zod";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import { actorForm } from "../rl/dsrl_pixels.ts";
import { noiseRows } from "../rl/steering_noise.ts";
import { camerasOf } from "./cameras.ts";
import { outputs } from "./evaluation.ts";
import { PixelNoiseActor } from "./pixel_steering.ts";
import { evaluateSteered, sampled, steered } from "./steered_evaluation.ts";
import { trunkOf } from "./trunk.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base and its units; the learner state that steers it; the trunk of a ResNet, or none. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  actor: "weights",
  trunk: "weights[]",
} as const;
export { outputs };

/** What the stage is told; the world's settings name the cameras. */
export const parameters = z.strictObject({
  ...steered,
  actor: actorForm.describe("the noise actor"),
  sampled,
});

/** Runs the steered base from every held-out state. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lanes, noise, actor: form, sampled, world } = context.parameters;
  const cameras = camerasOf(world), trunk = await trunkOf(context.input.trunk, form);
  const { tensors } = decodeSafetensors(await Deno.readFile(context.input.actor.path));
  await evaluateSteered(
    context,
    (horizon) =>
      PixelNoiseActor.open({
        weights: { ...trunk, ...tensors },
        cameras,
        lanes,
        noise: noiseRows(noise, horizon) * 7,
        form,
        sampled,
      }),
  );
}
