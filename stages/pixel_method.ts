/** What DSRL-SAC from pictures brings to the frame of steering: its update, what it stores, how it acts. */
import { compileUpdate } from "../engine/program.ts";
import type { Observation } from "../envs/environment.ts";
import type { Tensors } from "../ndarray.ts";
import { drawCrops, drawJitters } from "../nn/augmentation.ts";
import * as dsrl from "../rl/dsrl_pixels.ts";
import type { Cameras } from "./cameras.ts";
import { PixelNoiseActor } from "./pixel_steering.ts";
import type { SteeringMethod } from "./steering_training.ts";

/** The method for w of `noise` numbers, from pictures and `numbers` of proprioception. */
export function pixelMethod(
  { cameras, numbers, noise, hyperparameters: h, shown, trunk = {} }: {
    readonly cameras: Cameras;
    readonly numbers: number;
    readonly noise: number;
    readonly hyperparameters: dsrl.Hyperparameters;
    /** What is made of an observation before the actor sees it. */
    readonly shown?: (observation: Observation) => Observation;
    /** Weights of the trunk, where a ResNet looks. */
    readonly trunk?: Tensors;
  },
): SteeringMethod {
  const sizes = { ...cameras, state: numbers, noise };
  const shapes = dsrl.updateShapes(sizes, h);
  const pixels = [cameras.height, cameras.width, cameras.channels];
  const acting = { cameras, noise, form: h, sampled: true, numbers, ...(shown ? { shown } : {}) };
  return {
    program: compileUpdate(dsrl.update(h, trunk), shapes),
    batch: shapes.batch,
    columns: {
      pixels,
      state: [numbers],
      w: [noise],
      reward: [],
      terminated: [],
      truncated: [],
      discount: [],
      nextPixels: pixels,
      nextState: [numbers],
    },
    bytes: ["pixels", "nextPixels"],
    criticUpdates: 1,
    initialize: (draws) => dsrl.initialize(draws, sizes, h),
    draw: (batches, random) => {
      random.fillNormal(batches.nextNoise!.data);
      random.fillNormal(batches.noise!.data);
      drawCrops(random, batches.crops!.data);
      drawCrops(random, batches.nextCrops!.data);
      if (!h.colorJitter) return;
      drawJitters(random, batches.jitters!.data);
      drawJitters(random, batches.nextJitters!.data);
    },
    open: (weights, lanes, session) =>
      PixelNoiseActor.open({ weights: { ...trunk, ...weights }, lanes, session, ...acting }),
  };
}
