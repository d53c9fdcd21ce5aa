/**
 * PLD from pictures, stage 1: as `train_residual.ts`, where the specialist sees the world's cameras and proprioception.
 * The replay keeps each frame once, as bytes of pictures or as the trunk's half-precision features.
 */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { frameCapacity, FrameReplay } from "../data/frame_replay.ts";
import { Frames } from "../data/frames.ts";
import { Replay } from "../data/replay.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { drawCrops } from "../nn/augmentation.ts";
import { frameShape } from "../nn/vision.ts";
import type { Stream } from "../random.ts";
import * as pixels from "../rl/pld_pixels.ts";
import { residualScale } from "../rl/residual.ts";
import { camerasOf } from "./cameras.ts";
import { openBase } from "./chunked_base.ts";
import { FrameJournal } from "./frame_journal.ts";
import { everySteps } from "./learner_calls.ts";
import { offlineSeen, seenColumns, storage } from "./offline_seen.ts";
import { batchSizes, fillHalves } from "./online_batches.ts";
import { OnlineLanes } from "./online_lanes.ts";
import { resume } from "./online_checkpoint.ts";
import type { Evaluate } from "./online_evaluations.ts";
import { learnOnline } from "./online_learning.ts";
import { outputs, writeTrained } from "./online_outputs.ts";
import { assertMemory, describeMemory, memoryPlan } from "./pixel_memory.ts";
import { openSeeing, PixelSpecialist, vision, visionOf } from "./pixel_specialist.ts";
import { ResidualActor, Specialists } from "./residual_actor.ts";
import { acting, trainingSuccess } from "./rollout.ts";
import { proprioceptionScale, Seeing } from "./seeing.ts";
import { inputs as shared, parameters as plain } from "./train_residual.ts";
import { trunkOf } from "./trunk.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Those of `train_residual.ts`; the trunk of a ResNet, or none. */
export const inputs = { ...shared, trunk: "weights[]" } as const;
export { outputs };

/** What the stage is told; the world's settings name the cameras. */
export const parameters = plain.extend({ vision });

/** Trains the specialist and keeps the state of its best evaluation, and the trunk it sees through beside it. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { parameters: p, input, seed, threads, workers } = context;
  const { task: name, tasks, execute, first, learner: h, online: o } = p, lanes = o.lanes;
  const { weights, normalization } = input;
  const world = await openWorld(p.world), task = world.task(name);
  const v = visionOf(p.world, p.vision), cameras = camerasOf(p.world);
  const episodes = decodeEpisodes(await Deno.readFile(input.offline.path));
  const trunk = await trunkOf(input.trunk, v.encoder), scale = proprioceptionScale(episodes, execute);
  const { state: stateShapes, batch } = pixels.updateShapes(v, h);
  const offlineSteps = episodes.reduce((n, { length }) => n + length, 0);
  const plan = memoryPlan(v, {
    transitions: h.buffer,
    offline: offlineSteps,
    batch,
    iterations: o.iterations,
    steps: o.steps,
  });
  context.log(describeMemory(plan));
  assertMemory(plan, Deno.systemMemoryInfo().available / 2 ** 30, "what this machine has free");

  const session = acting(o), open = { lanes, execute, tasks, seed, weights, normalization, session };
  await using pool = await world.pool({ lanes, workers });
  const seen = { vision: v, cameras, trunk, scale, execute, reward: h };
  const offline = await offlineSeen(episodes, { pool, lanes, task, threads, ...seen });
  const resumed = await resume(context);
  const form = {
    capacity: frameCapacity(h.buffer),
    frame: frameShape(cameras, v.frames),
    storage: storage[v.frames],
  };
  using journal = resumed
    ? FrameJournal.resume(context.scratch(), resumed.tensors, { ...form, prefix: "replay/" })
    : FrameJournal.start(context.scratch(), new Frames(form.capacity, form.frame, form.storage));
  const replay = new FrameReplay(
    resumed ? Replay.fromTensors(resumed.tensors, "replay/") : new Replay(h.buffer, seenColumns),
    journal.frames,
  );
  const initial = resumed?.learner ?? decodeSafetensors(await Deno.readFile(input.critic.path)).tensors;
  const program = compileUpdate(pixels.update(h, v, v.frames === "pictures" ? trunk : {}), {
    state: stateShapes,
    batch,
  });
  await using learner = await Learner.create(program, initial, { threads, concurrent: o.pipelined });
  await using base = await openBase(open);
  const xi = ndarray([7], residualScale(h, 0));
  const acts = { weights: { ...trunk, ...initial, xi }, scale, lanes, session };
  await using specialist = await PixelSpecialist.open({ ...acts, cameras, vision: v });
  await using evaluated = await openSeeing(p.world, p.vision)(acts) as PixelSpecialist;
  await using evaluationPool = await world.pool({ lanes, workers });
  await using evaluationBase = await openBase(open);
  await using seeing = await Seeing.open({
    frames: journal.frames,
    cameras,
    scale,
    trunk: v.frames === "features" ? trunk : undefined,
    batch: lanes,
    session: { ...session, threads },
    snapshot: resumed?.tensors,
  });

  const reach = (to: PixelSpecialist, state: Tensors, steps: number) => {
    to.weights = pixels.acting(state);
    to.xi = ndarray([7], residualScale(h, steps));
  };
  const evaluate: Evaluate = (state, steps, signal) => {
    reach(evaluated, state, steps);
    const specialists = new Specialists(new Map([[name, evaluated]]));
    const actor = new ResidualActor({ base: evaluationBase, specialists });
    return trainingSuccess({
      pool: evaluationPool,
      lanes,
      actor,
      task,
      first,
      episodes: o.evaluationEpisodes,
      signal,
    });
  };
  /** Frames of what all lanes saw last; nothing where a lane is being probed. */
  const lookedAt = (states: readonly Float32Array[]) => {
    const frames = ndarray([lanes, ...form.frame]);
    states.forEach((state, lane) => {
      if (state.length > 0) journal.frames.gather([state.at(-1)!], frames.data, lane);
    });
    return frames;
  };

  const running = await OnlineLanes.open({
    pool,
    base,
    scale,
    see: (lane, phase) => seeing.see(lane, phase),
    exploration: { task, seed, first, probing: o.probing, probingLength: o.probingLength },
    size: lanes,
    ...(resumed ? { snapshot: resumed.tensors } : {}),
  });
  await seeing.flush();
  const { interval } = batchSizes({ ...o, criticUpdates: h.criticUpdates });
  const { weights: trained, curve } = await learnOnline(context, {
    schedule: {
      steps: o.steps,
      lanes,
      iterations: o.iterations,
      calls: everySteps({ interval, episodes: h.warmupEpisodes }),
      evaluateEvery: o.evaluateEvery,
      evaluationEpisodes: o.evaluationEpisodes,
      selectFrom: o.selectFrom * o.steps,
      pipelined: o.pipelined,
    },
    lanes: {
      get episodes() {
        return running.episodes;
      },
      snapshot: () => ({ ...running.snapshot(), ...seeing.snapshot() }),
    },
    resumed,
    method: {
      learner,
      acting: ["actor", "critic/encoder"],
      criticUpdates: h.criticUpdates,
      replay: {
        get added() {
          return replay.replay.added;
        },
        get size() {
          return replay.replay.size;
        },
        toTensors: (prefix) => ({ ...replay.replay.toTensors(prefix), ...journal.toTensors(prefix) }),
      },
      evaluate,
      beside: (steps) => ({ xi: ndarray([7], residualScale(h, steps)) }),
      batches: (iterations: number, draw: Stream, noise: Stream, steps: number): Tensors => {
        const batches = Object.fromEntries(
          Object.entries(batch).map(([key, shape]) => [key, ndarray([iterations, ...shape])]),
        );
        const { offlineFraction } = o;
        fillHalves(batches, { offline, online: replay, draw, batch: h.batch, offlineFraction });
        noise.fillNormal(batches.nextNoise!.data);
        noise.fillNormal(batches.noise!.data);
        for (const crops of ["crops", "nextCrops"]) {
          if (batches[crops]) drawCrops(noise, batches[crops].data);
        }
        const xi = residualScale(h, steps);
        for (let i = 0; i < iterations; i++) batches.xi!.data.set(xi, i * xi.length);
        return batches;
      },
      round: async ({ weights, explore, onlineSteps, ended }) => {
        const noise = ndarray([lanes, 7]);
        explore.fillNormal(noise.data);
        let actions: Float32Array | undefined;
        if (ended >= h.warmupEpisodes) {
          reach(specialist, weights, onlineSteps);
          const { states, bases } = running;
          actions = await specialist.act(lookedAt(states), states, bases, noise);
        }
        const round = await running.step(actions);
        await seeing.flush();
        journal.write();
        return round;
      },
      store: (transition) => {
        const reward = h.rewardBias + (transition.terminated![0] ? h.rewardScale : 0);
        replay.replay.add({ ...transition, reward: [reward] });
      },
    },
  });
  await writeTrained(context, { weights: { ...trained, ...trunk }, scale, curve });
}
