/** The weights that a ResNet looks through: named by whoever runs an experiment, never chosen silently. */
import { z } from "zod";
import { type AddStage, given, type Input } from "../../lab/experiment.ts";
import * as drawTrunk from "../../stages/draw_trunk.ts";

/** Which weights. */
export const weightsOfTrunk = z.string()
  .regex(/^$|^random$|^(sha256:)?[0-9a-f]{64}$/, "expected a digest, or random")
  .default("")
  .describe("weights of the ResNet: digest of public ones in the store, or random: untrained ones");

/**
 * The trunk that the settings name, as an input: none for the small encoder. Untrained weights are a stage of their own,
 * whose name stands in every report.
 *
 * @throws {Error} when a ResNet is to look and no weights are named
 */
export function trunkOf(
  stage: AddStage,
  { encoder, trunk }: { readonly encoder: string; readonly trunk: string },
): Input<"weights">[] {
  if (encoder === "small") return [];
  if (trunk === "random") return [stage(drawTrunk, {}, {}, { name: "trunk.random", seed: 0 }).weights];
  if (trunk !== "") return [given("weights", trunk)];
  throw new Error(
    "Cannot see through a ResNet without weights: put the public ones into the store (docs/pixels.md) and name their " +
      "digest with pixels.trunk, choose untrained ones with pixels.trunk=random, or pixels.encoder=small",
  );
}
