/** The part of PLD's experiments where the residual sees a world's cameras: which stages run, and with what. */
import { z } from "zod";
import type { AddStage, Input } from "../../lab/experiment.ts";
import * as pldPixels from "../../rl/pld_pixels.ts";
import type * as pld from "../../rl/pld.ts";
import * as collectHybrid from "../../stages/collect_hybrid_pixels.ts";
import * as evaluate from "../../stages/evaluate_pixels.ts";
import { assertMemory, memoryPlan } from "../../stages/pixel_memory.ts";
import { visionOf } from "../../stages/pixel_specialist.ts";
import * as pretrainCritic from "../../stages/pretrain_critic_pixels.ts";
import * as trainResidual from "../../stages/train_residual_pixels.ts";
import type { WorldSettings } from "../../stages/world.ts";
import { trunkOf, weightsOfTrunk } from "./trunk.ts";

const unique = (names: readonly string[]) => new Set(names).size === names.length;

/** What the residual sees, and how. */
export const pixels = z.strictObject({
  cameras: z.array(z.string().regex(/^\w+$/)).min(1).refine(unique, "each camera once")
    .default(["agentview", "eye_in_hand"])
    .describe("cameras of the world that the residual sees"),
  edge: z.int().min(17).max(512).default(128).describe("rows and columns of a picture"),
  encoder: z.enum(["resnet", "small"]).default("resnet")
    .describe(
      "resnet: a frozen trunk with heads that learn, Table 5; small: DSRL's convolutions, all learned",
    ),
  trunk: weightsOfTrunk,
  frames: z.enum(["features", "pictures"]).default("features")
    .describe(
      "what the replay keeps: the trunk's features in half precision, or pictures, which are cropped",
    ),
  embeddings: z.int().min(1).default(8).describe("sums that a ResNet's head keeps of each channel"),
  latent: z.int().min(1).nullable().default(null)
    .describe(
      "numbers that come out: of a ResNet for each camera (null: 256), of the small one for all (null: 50)",
    ),
  filters: z.int().min(1).default(32).describe("filters of the small encoder's convolutions"),
  memory: z.number().positive().default(16).describe(
    "GiB that replays and batches may take; checked at once",
  ),
});
/** Parsed settings of what the residual sees. */
export type Pixels = z.output<typeof pixels>;

/** Presets of PLD from pictures. A call of the learner holds the frames of all its iterations, so there are few. */
export const pixelPresets = {
  pixels: {
    observation: "pixels",
    "online.iterations": 2,
    "online.lanes": 4,
    "pixels.trunk": "random",
  },
  "pixels-small": {
    observation: "pixels",
    "online.iterations": 2,
    "online.lanes": 4,
    "pixels.encoder": "small",
    "pixels.edge": 64,
  },
} as const;

/** On top of a smoke preset: a ResNet with random weights and pictures of 32 x 32. */
export const pixelSmoke = {
  observation: "pixels",
  "online.iterations": 1,
  "online.updatesPerStep": 0.5,
  "online.steps": 400,
  "online.evaluateEvery": 200,
  "hybrid.episodes": 2,
  "pixels.edge": 32,
  "pixels.latent": 32,
  "pixels.trunk": "random",
} as const;

/** The encoder that the settings name. */
export function encoderOf({ encoder, embeddings, latent, filters }: Pixels): pldPixels.Vision["encoder"] {
  return encoder === "resnet"
    ? { encoder, embeddings, latent: latent ?? 256 }
    : { encoder, filters, latent: latent ?? 50 };
}

/** A world with the cameras that the settings name. */
export function withCameras(world: WorldSettings, { cameras, edge }: Pixels): WorldSettings {
  const each = cameras.map((name) => ({ name, width: edge, height: edge }));
  return { ...world, cameras: each } as WorldSettings;
}

/** What PLD's graph needs to know of its hyperparameters here. */
export interface Seen {
  /** What the residual sees. */
  readonly pixels: Pixels;
  /** The learner's. */
  readonly learner: pld.Hyperparameters;
  /** How many successes of the base are seen again. */
  readonly offline: { readonly episodes: number };
  /** The budget of the online phase. */
  readonly online: { readonly iterations: number; readonly steps: number };
}

/** Longest successes that the plan of memory counts with. */
const LONGEST = 600;

/**
 * PLD's stages for a residual that sees, each as the graph calls those for states.
 *
 * @throws {Error} when no weights are named, or replays and batches would not stay within `pixels.memory`
 */
export function seeing(stage: AddStage, plain: WorldSettings, h: Seen, lanes: number) {
  const world = withCameras(plain, h.pixels);
  const frames = h.pixels.encoder === "small" ? "pictures" as const : h.pixels.frames;
  const vision = { encoder: encoderOf(h.pixels), frames };
  const v = visionOf(world, vision);
  const plan = memoryPlan(v, {
    transitions: h.learner.buffer,
    offline: h.offline.episodes * LONGEST,
    batch: pldPixels.updateShapes(v, h.learner).batch,
    iterations: h.online.iterations,
    steps: h.online.steps,
  });
  assertMemory(plan, h.pixels.memory, "pixels.memory");
  const trunk = trunkOf(stage, h.pixels);
  type Options = Parameters<AddStage>[3];
  return {
    pretrain: (
      { offline }: { offline: Input<"episodes"> },
      parameters: Omit<z.input<typeof pretrainCritic.parameters>, "world" | "vision" | "lanes">,
      options: Options,
    ) => stage(pretrainCritic, { offline, trunk }, { ...parameters, world, vision, lanes }, options),
    train: (
      inputs: Record<"weights" | "critic", Input<"weights">> & {
        normalization: Input<"normalization">;
        offline: Input<"episodes">;
      },
      parameters: Omit<z.input<typeof trainResidual.parameters>, "world" | "vision">,
      options: Options,
    ) => stage(trainResidual, { ...inputs, trunk }, { ...parameters, world, vision }, options),
    evaluate: (
      inputs: Parameters<
        typeof stage<typeof evaluate.inputs, typeof evaluate.outputs, typeof evaluate.parameters>
      >[1],
      parameters: Omit<z.input<typeof evaluate.parameters>, "world" | "vision">,
      options: Options,
    ) => stage(evaluate, inputs, { ...parameters, world, vision }, options),
    hybrid: (
      inputs:
        & Record<"weights" | "residual", Input<"weights">>
        & Record<"normalization" | "scale", Input<"normalization">>,
      parameters: Omit<z.input<typeof collectHybrid.parameters>, "world" | "vision">,
      options: Options,
    ) => stage(collectHybrid, inputs, { ...parameters, world, vision }, options),
  };
}
