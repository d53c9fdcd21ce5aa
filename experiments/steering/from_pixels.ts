/** The part of a steering experiment where actor and critics see the tabletop's cameras. */
import { z } from "zod";
import { cameraNames } from "../../envs/tabletop_cameras.ts";
import type { AddStage } from "../../lab/experiment.ts";
import type * as dsrl from "../../rl/dsrl.ts";
import { actorFormOf, pixelSettings } from "../../rl/dsrl_pixels.ts";
import * as evaluateDsrl from "../../stages/evaluate_dsrl_pixels.ts";
import * as trainDsrl from "../../stages/train_dsrl_pixels.ts";
import type { shared, steeredBase } from "../dsrl_tabletop.ts";
import { trunkOf, weightsOfTrunk } from "../residual/trunk.ts";

/** What the learner sees, and how. */
export const pixels = z.strictObject({
  cameras: z.array(z.enum(cameraNames)).min(1).default(["agentview"]).describe("what the learner sees"),
  edge: z.int().min(17).max(512).default(64).describe("rows and columns of a picture"),
  trunk: weightsOfTrunk,
  ...pixelSettings,
});

/**
 * DSRL-SAC on the shared base from pictures, evaluated: actor and critics see the cameras and proprioception; the base
 * sees what it was trained on.
 */
export function steeredFromPixels(
  stage: AddStage,
  h: z.output<z.ZodObject<typeof shared>> & {
    readonly learner: dsrl.Hyperparameters;
    readonly pixels: z.output<typeof pixels>;
  },
  { policy, protocol, training, demonstrations, measured }: ReturnType<typeof steeredBase>,
) {
  const { cameras, edge, trunk: _, ...settings } = h.pixels, trunk = trunkOf(stage, h.pixels);
  const world = {
    name: "tabletop" as const,
    cameras: cameras.map((name) => ({ name, width: edge, height: edge })),
  };
  const learner = { ...h.learner, ...settings };
  const trained = stage(trainDsrl, { ...policy, demonstrations, trunk }, { ...training, world, learner }, {
    name: "dsrl",
  });
  const of = (label: string, sampled: boolean) =>
    stage(
      evaluateDsrl,
      { ...policy, actor: trained.weights, trunk },
      { ...protocol, world, noise: h.noise, actor: actorFormOf(learner), sampled },
      measured(label),
    ).evaluation;
  const evaluations = { dsrl: of("dsrl", false), "dsrl-sampled": of("dsrl-sampled", true) };
  return { evaluations, curves: { dsrl: trained.curve } };
}
