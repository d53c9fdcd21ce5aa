/**
 * Fills the replay of PLD from pictures and learns from it: does it take what `memoryPlan` says, and does anything grow?
 * Two cameras of 128 x 128, as features of the trunk (drawn at random, not seen) or as pictures, all transitions of Table 5;
 * then updates of the whole learner on small minibatches drawn from the whole replay. Exits 1 where the resident memory is
 * more than 5 % off the plan, or grows by more than 2 % after the first tenth of the updates.
 *
 *     deno run -A bench/frame_memory.ts [--frames features|pictures] [--transitions 250000] [--updates 10000]
 *         [--batch 16] [--iterations 20] [--threads 2]
 */
import { command, count, oneOf } from "./command.ts";
import { FrameReplay } from "../data/frame_replay.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { ndarray, size } from "../ndarray.ts";
import { drawCrops } from "../nn/augmentation.ts";
import { drawTrunk } from "../nn/resnet.ts";
import { frameShape } from "../nn/vision.ts";
import { stream } from "../random.ts";
import * as pld from "../rl/pld.ts";
import * as pixels from "../rl/pld_pixels.ts";
import { seenColumns, storage } from "../stages/offline_seen.ts";
import { describeMemory, memoryPlan } from "../stages/pixel_memory.ts";

const options = {
  frames: oneOf(["features", "pictures"], "features"),
  transitions: count(250_000),
  updates: count(10_000),
  batch: count(16),
  iterations: count(20),
  threads: count(2),
};

await command(options, async ({ frames: kind, transitions, updates, batch, iterations, threads }) => {
  const v: pixels.Vision = {
    encoder: { encoder: "resnet", embeddings: 8, latent: 256 },
    cameras: { height: 128, width: 128, channels: 6 },
    frames: kind,
    proprioception: 16,
    action: 7,
  };
  const h = pld.hyperparameters.parse({ batch });
  const shapes = pixels.updateShapes(v, h);
  const plan = memoryPlan(v, {
    transitions,
    offline: 1,
    batch: shapes.batch,
    iterations,
    steps: transitions,
  });
  const planned = Object.values(plan.memory).reduce((a, b) => a + b, 0);
  console.log(describeMemory(plan));

  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(3);
  const resident = () => Deno.memoryUsage().rss;
  const draw = stream(0, "memory");
  const trunk = kind === "pictures" ? drawTrunk(draw) : {};
  await using learner = await Learner.create(
    compileUpdate(pixels.update(h, v, trunk), shapes),
    pixels.initialize(draw, v, h),
    { threads },
  );
  const before = resident();
  console.log(`learner opened: ${gib(before)} GiB resident`);

  const frame = frameShape(v.cameras, kind);
  const replay = FrameReplay.empty(transitions, { columns: seenColumns, frame, storage: storage[kind] });
  // A few frames with other numbers, written again and again: what counts is that every page of the ring is written.
  const seen = Array.from({ length: 16 }, () => {
    const x = new (kind === "pictures" ? Uint8Array : Float32Array)(size(frame));
    for (let i = 0; i < x.length; i++) {
      x[i] = kind === "pictures" ? draw.integer(256) : Math.abs(draw.normal());
    }
    return x;
  });
  let id = replay.frames.reserve();
  replay.frames.write(id, seen[0]!);
  const row = (frame: number) => Float32Array.from({ length: 17 }, (_, i) => i < 16 ? draw.normal() : frame);
  for (let t = 0; t < transitions + transitions / 32; t++) {
    const next = replay.frames.reserve();
    replay.frames.write(next, seen[t % seen.length]!);
    const action = new Float32Array(7);
    replay.replay.add({
      state: row(id),
      base: action,
      action,
      reward: [0],
      terminated: [0],
      truncated: [0],
      nextState: row(next),
      nextBase: action,
    });
    id = next;
  }
  const filled = resident();
  console.log(`replay full: ${gib(filled - before)} GiB more, planned ${gib(planned)} GiB in all`);

  const batches = Object.fromEntries(
    Object.entries(shapes.batch).map(([name, shape]) => [name, ndarray([iterations, ...shape])]),
  );
  const { xi, noise, nextNoise, crops, nextCrops, ...columns } = batches;
  xi!.data.fill(0.5);
  const marks: number[] = [], calls = Math.ceil(updates / iterations);
  const start = performance.now();
  for (let call = 1; call <= calls; call++) {
    replay.sample(draw, columns, 0, iterations * h.criticUpdates * h.batch);
    for (const x of [noise, nextNoise]) draw.fillNormal(x!.data);
    for (const x of [crops, nextCrops]) if (x) drawCrops(draw, x.data);
    const metrics = await learner.update(batches);
    if (!Object.values(metrics).every(({ data }) => data.every(Number.isFinite))) {
      throw new Error(`Cannot go on: a metric of call ${call} is not finite`);
    }
    if (call % Math.max(1, Math.floor(calls / 10)) === 0) {
      marks.push(resident());
      console.log(`${call * iterations} updates: ${gib(marks.at(-1)!)} GiB resident`);
    }
  }
  console.log(`${((performance.now() - start) / (calls * iterations)).toFixed(1)} ms an update`);
  const off = (filled - before) / planned - 1, growth = marks.at(-1)! / marks[0]! - 1;
  console.log(
    `off the plan by ${(100 * off).toFixed(2)} %, grown by ${
      (100 * growth).toFixed(2)
    } % since a tenth of the updates`,
  );
  return Math.abs(off) < 0.05 && growth < 0.02 ? 0 : 1;
});
