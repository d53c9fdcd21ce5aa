/**
 * PLD, stage 1: a residual specialist for one task by off-policy RL on top of the frozen base (Algorithm 1 of the
 * paper): warm-up with the base alone, probing prefixes that are never stored, half of each batch from the base's
 * offline successes.
 */
import { z } from "zod";
import type { Normalization } from "../data/normalization.ts";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { Replay } from "../data/replay.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import type { Stream } from "../random.ts";
import * as pld from "../rl/pld.ts";
import { residualScale } from "../rl/residual.ts";
import { openBase } from "./chunked_base.ts";
import { batchSizes, fillHalves } from "./online_batches.ts";
import { OnlineLanes, type OpenBase } from "./online_lanes.ts";
import { everySteps } from "./learner_calls.ts";
import { resume } from "./online_checkpoint.ts";
import type { Evaluate } from "./online_evaluations.ts";
import { learnOnline } from "./online_learning.ts";
import { budget, outputs, writeTrained } from "./online_outputs.ts";
import { ResidualActor, Specialist, Specialists } from "./residual_actor.ts";
import { acting, trainingSuccess } from "./rollout.ts";
import { offlineReplay, stateScale, transitionShapes } from "./transitions.ts";
import { openWorld, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base and its units, its successes, and the pretrained learner state. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  offline: "episodes",
  critic: "weights",
} as const;
export { outputs };

/** Settings of the online phase. */
export const online = z.strictObject({
  ...budget,
  updatesPerStep: z.number().positive().default(1).describe("critic updates for each environment step"),
  offlineFraction: z.number().min(0).max(1).default(0.5).describe("share of each batch from offline data"),
  probing: z.number().min(0).max(1).default(0.5).describe(
    "share of episodes that begin with a probing prefix",
  ),
  probingLength: z.number().min(0).max(1).default(0.4)
    .describe("longest probing prefix as a share of the step budget"),
});

/** What the stage is told. */
export const parameters = z.strictObject({
  world: settings,
  task: z.string().describe("the specialist's task"),
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the base's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk of the base"),
  first: z.int().min(0).describe("first training initial state; evaluations start 1,000,000 later"),
  learner: pld.hyperparameters,
  online,
});

const sizesOf = (scale: Normalization) => ({ state: scale.center.length, action: 7 });

/** Trains the specialist and keeps the state of its best evaluation. */
export function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { parameters: { tasks, execute, online: { lanes } }, input: { weights, normalization }, seed } =
    context;
  const stored = { weights, normalization, lanes, execute, tasks, seed };
  return trainOn(context, (session) => openBase({ ...stored, ...(session ? { session } : {}) }));
}

/** The same on any base. */
export async function trainOn(
  context: Omit<StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>, "input"> & {
    readonly input: Pick<StageContext<typeof inputs, typeof outputs, unknown>["input"], "offline" | "critic">;
  },
  openBase: OpenBase,
): Promise<void> {
  const { parameters: { task: name, execute, first, learner: h, online: o }, input, seed } = context;
  const world = await openWorld(context.parameters.world);
  const task = world.task(name), lanes = o.lanes;
  const episodes = decodeEpisodes(await Deno.readFile(input.offline.path));
  const scale = stateScale(episodes, execute), sizes = sizesOf(scale);
  const offline = offlineReplay(episodes, { scale, execute, reward: h });

  const resumed = await resume(context);
  const replay = resumed
    ? Replay.fromTensors(resumed.tensors, "replay/")
    : new Replay(h.buffer, transitionShapes(sizes.state));
  const initial = resumed?.learner ?? decodeSafetensors(await Deno.readFile(input.critic.path)).tensors;
  const shapes = pld.updateShapes(sizes, h), program = compileUpdate(pld.update(h), shapes);
  await using learner = await Learner.create(program, initial, {
    threads: context.threads,
    concurrent: o.pipelined,
  });
  const session = acting(o);
  await using base = await openBase(session);
  const opened = { weights: { ...initial, xi: ndarray([7], residualScale(h, 0)) }, scale, lanes, session };
  await using specialist = await Specialist.open(opened);
  await using evaluated = await Specialist.open(opened);
  await using pool = await world.pool({ lanes, workers: context.workers });
  await using evaluationPool = await world.pool({ lanes, workers: context.workers });
  await using evaluationBase = await openBase(session);

  /** The deterministic specialist on training states that no learning episode starts from. */
  const evaluate: Evaluate = (state, steps, signal) => {
    evaluated.weights = part(state, "actor");
    evaluated.xi = ndarray([7], residualScale(h, steps));
    const actor = new ResidualActor({
      base: evaluationBase,
      specialists: new Specialists(new Map([[name, evaluated]])),
    });
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

  const { interval } = batchSizes({ ...o, criticUpdates: h.criticUpdates });
  const running = await OnlineLanes.open({
    pool,
    base,
    scale,
    exploration: { task, seed, first, probing: o.probing, probingLength: o.probingLength },
    size: lanes,
    ...(resumed ? { snapshot: resumed.tensors } : {}),
  });
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
    lanes: running,
    resumed,
    method: {
      learner,
      acting: ["actor"],
      criticUpdates: h.criticUpdates,
      replay,
      evaluate,
      // The reach is part of the specialist: under a schedule it is that of the evaluation that chose it.
      beside: (steps) => ({ xi: ndarray([7], residualScale(h, steps)) }),
      batches: (iterations: number, draw: Stream, noise: Stream, steps: number): Tensors => {
        const batches = Object.fromEntries(
          Object.entries(shapes.batch).map(([key, shape]) => [key, ndarray([iterations, ...shape])]),
        );
        fillHalves(batches, {
          offline,
          online: replay,
          draw,
          batch: h.batch,
          offlineFraction: o.offlineFraction,
        });
        noise.fillNormal(batches.nextNoise!.data);
        noise.fillNormal(batches.noise!.data);
        const scale = residualScale(h, steps);
        for (let i = 0; i < iterations; i++) batches.xi!.data.set(scale, i * scale.length);
        return batches;
      },
      round: async ({ weights, explore, onlineSteps, ended }) => {
        const noise = ndarray([lanes, 7]);
        explore.fillNormal(noise.data);
        if (ended < h.warmupEpisodes) return running.step();
        specialist.weights = part(weights, "actor");
        specialist.xi = ndarray([7], residualScale(h, onlineSteps));
        return running.step(await specialist.act(running.states, running.bases, noise));
      },
      store: (transition) => {
        const reward = h.rewardBias + (transition.terminated![0] ? h.rewardScale : 0);
        replay.add({ ...transition, reward: [reward] });
      },
    },
  });
  await writeTrained(context, { weights: trained, scale, curve });
}
