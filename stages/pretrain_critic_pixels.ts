/** PLD from pictures, before stage 1: Cal-QL as in `pretrain_critic.ts`, on the base's successes seen through cameras. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { drawCrops } from "../nn/augmentation.ts";
import { Stream, stream } from "../random.ts";
import * as calql from "../rl/calql.ts";
import * as pld from "../rl/pld.ts";
import * as pixels from "../rl/pld_pixels.ts";
import { residualScale } from "../rl/residual.ts";
import { camerasOf } from "./cameras.ts";
import { curveColumns, type CurveRow } from "./learning_curve.ts";
import { offlineSeen } from "./offline_seen.ts";
import { vision, visionOf } from "./pixel_specialist.ts";
import { pretraining } from "./pretrain_critic.ts";
import { proprioceptionScale } from "./seeing.ts";
import { trunkOf } from "./trunk.ts";
import { openWorld, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Successful episodes of the base; the trunk of a ResNet, or none. */
export const inputs = { offline: "episodes", trunk: "weights[]" } as const;
/** The learner state that the online phase starts from, and the losses. */
export const outputs = { weights: "weights", losses: "metrics" } as const;

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
/** Scale of a policy sample when xi is 0: a density needs some width. */
const LEAST_XI = 1e-3;

/** Sees the episodes again, then takes `calql.steps` updates on them. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { parameters: { world, task, lanes, execute, learner, calql: c }, input, seed, threads } = context;
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

  const bytes = await context.checkpoint.read();
  const saved = bytes && decodeSafetensors(bytes);
  const progress: { step: number; losses: CurveRow[]; counters: number[] } = saved
    ? JSON.parse(saved.metadata.progress!)
    : { step: 0, losses: [], counters: [0, 0] };
  const [draw, noise] = ["draw", "noise"].map((name, i) =>
    new Stream(stream(seed, "calql", name).key, progress.counters[i])
  ) as [Stream, Stream];
  const seen = v.frames === "pictures" ? trunk : {};
  await using critic = await Learner.create(
    compileUpdate(pixels.pretrain(h, c, v, seen), shapes),
    saved?.tensors ?? pixels.initialize(stream(seed, "calql", "initialize"), v, h),
    { threads },
  );
  const xi = residualScale(h, h.xiSchedule.steps).map((x) => Math.max(x, LEAST_XI));
  const save = () =>
    context.checkpoint.write(encodeSafetensors(critic.state, {
      progress: JSON.stringify({ ...progress, counters: [draw.counter, noise.counter] }),
    }));

  while (progress.step < c.steps) {
    const calls = Math.min(CALL, c.steps - progress.step);
    const batches = Object.fromEntries(
      Object.entries(shapes.batch).map(([name, shape]) => [name, ndarray([calls, ...shape])]),
    );
    const { nextNoise, random, currentNoise, followingNoise, noise: actorNoise, xi: scales, ...rest } =
      batches;
    const { crops, nextCrops, ...columns } = rest;
    offline.sample(draw, columns, 0, calls * h.batch);
    for (const x of [nextNoise, currentNoise, followingNoise, actorNoise]) noise.fillNormal(x!.data);
    noise.fillUniform(random!.data, -1, 1);
    if (crops) { for (const x of [crops, nextCrops!]) drawCrops(noise, x.data); }
    for (let i = 0; i < calls; i++) scales!.data.set(xi, i * xi.length);
    const metrics = await critic.update(batches);
    progress.step += calls;
    const means = Object.entries(metrics).map((
      [name, { data }],
    ) => [name, data.reduce((a, b) => a + b, 0) / calls]);
    const row: CurveRow = { gradient_steps: progress.step, ...Object.fromEntries(means) };
    const wrong = Object.entries(row).find(([, value]) => !Number.isFinite(value));
    if (wrong) {
      throw new Error(`Cannot go on pretraining: "${wrong[0]}" is ${wrong[1]} after ${progress.step} steps`);
    }
    progress.losses.push(row);
    context.spend({ gradientSteps: calls });
    const note = `critic loss ${row["critic/loss"]!.toFixed(3)}`;
    context.progress({ done: progress.step, total: c.steps, unit: "gradient steps", note });
    if (context.interrupted()) {
      await save();
      throw context.interruption();
    }
    if (context.checkpoint.due()) await save();
  }
  const state = h.keepPretrainedActor
    ? critic.state
    : pixels.resetActor(stream(seed, "calql", "actor"), critic.state, v, h);
  await context.output.weights.write(encodeSafetensors(state));
  await context.output.losses.write(
    encodeTable(
      progress.losses.length > 0 ? curveColumns(progress.losses) : { gradient_steps: new Float64Array(0) },
    ),
  );
}
