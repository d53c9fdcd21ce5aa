/** PLD from pictures, before stage 1: Cal-QL as in `pretrain_critic.ts`, on the base's successes seen through cameras. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { drawCrops } from "../nn/augmentation.ts";
import * as calql from "../rl/calql.ts";
import * as pld from "../rl/pld.ts";
import * as pixels from "../rl/pld_pixels.ts";
import { camerasOf } from "./cameras.ts";
import { offlineSeen } from "./offline_seen.ts";
import { vision, visionOf } from "./pixel_specialist.ts";
import { outputs, pretrain, pretraining } from "./pretraining.ts";
import { proprioceptionScale } from "./seeing.ts";
import { trunkOf } from "./trunk.ts";
import { openWorld, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Successful episodes of the base; the trunk of a ResNet, or none. */
export const inputs = { offline: "episodes", trunk: "weights[]" } as const;
export { outputs };

/** What the stage is told; the world's settings name the cameras. */
export const parameters = z.strictObject({
  world: settings,
  task: z.string().describe("the episodes' task"),
  lanes: z.int().min(1).max(256).describe("episodes seen together"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk of the base"),
  vision,
  learner: pretraining,
  calql: calql.hyperparameters,
});

/** Updates in one call of the learner: a batch holds the frames of all of them. */
const CALL = 2;

/** Sees the episodes again, then takes `calql.steps` updates on them. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { parameters: { world, task, lanes, execute, learner, calql: c }, input, threads } = context;
  const h = pld.hyperparameters.parse(learner), v = visionOf(world, context.parameters.vision);
  const episodes = decodeEpisodes(await Deno.readFile(input.offline.path));
  const trunk = await trunkOf(input.trunk, v.encoder), scale = proprioceptionScale(episodes, execute);
  const simulated = await openWorld(world);
  const offline = await (async () => {
    await using pool = await simulated.pool({ lanes, workers: context.workers });
    const cameras = camerasOf(world), seen = { vision: v, cameras, trunk, scale, execute, reward: h };
    return await offlineSeen(episodes, { pool, lanes, task: simulated.task(task), threads, ...seen });
  })();
  context.log(`saw ${offline.replay.size} transitions of ${episodes.length} episodes again`);
  const shapes = pixels.pretrainShapes(v, h, c);
  const seen = v.frames === "pictures" ? trunk : {};
  await pretrain(context, {
    h,
    steps: c.steps,
    call: CALL,
    program: compileUpdate(pixels.pretrain(h, c, v, seen), shapes),
    batch: shapes.batch,
    initialize: (draws) => pixels.initialize(draws, v, h),
    resetActor: (draws, state) => pixels.resetActor(draws, state, v, h),
    fill: ({ crops, nextCrops, ...columns }, rows, { draw, noise }) => {
      offline.sample(draw, columns, 0, rows);
      if (crops) { for (const x of [crops, nextCrops!]) drawCrops(noise, x.data); }
    },
  });
}
