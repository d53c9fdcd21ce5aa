/** A ResNet trunk that has learned nothing: what whoever has no public weights can ask for, by name. */
import { z } from "zod";
import { encodeSafetensors } from "../data/safetensors.ts";
import type { StageContext } from "../lab/stage.ts";
import { drawTrunk } from "../nn/resnet.ts";
import { stream } from "../random.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Nothing. */
export const inputs = {} as const;
/** The weights, below "trunk/". */
export const outputs = { weights: "weights" } as const;

/** Nothing: the weights are a function of the seed. */
export const parameters = z.strictObject({});

/** Draws the weights. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  await context.output.weights.write(encodeSafetensors(drawTrunk(stream(context.seed, "trunk"))));
}
