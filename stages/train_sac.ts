/**
 * The control of every residual method: SAC from scratch on the same task, rewards and budget of environment steps,
 * without a base policy and without offline data. Of the demonstrations it uses the scale of the states alone.
 */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { Replay } from "../data/replay.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import * as sac from "../rl/sac.ts";
import { batchSizes, fillHalves } from "./online_batches.ts";
import { OnlineLanes, ZeroBase } from "./online_lanes.ts";
import { everySteps } from "./learner_calls.ts";
import { resume } from "./online_checkpoint.ts";
import { learnOnline } from "./online_learning.ts";
import { budget, outputs, writeTrained } from "./online_outputs.ts";
import { acting, trainingSuccess } from "./rollout.ts";
import { SacActor } from "./sac_actor.ts";
import { stateScale, transitionShapes } from "./transitions.ts";
import { openWorld, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Episodes whose states set the scale; nothing else is taken from them. */
export const inputs = { demonstrations: "episodes" } as const;
export { outputs };

/** Settings of the online phase. */
export const online = z.strictObject({
  ...budget,
  evaluationEpisodes: budget.evaluationEpisodes.removeDefault().default(25),
  updatesPerStep: z.number().positive().default(1).describe("critic updates for each environment step"),
  randomEpisodes: z.int().min(0).default(8).describe(
    "episodes before the first update, with the fresh actor's noise",
  ),
});

/** What the stage is told. */
export const parameters = z.strictObject({
  world: settings,
  task: z.string().describe("the task"),
  first: z.int().min(0).describe("first training initial state; evaluations start 1,000,000 later"),
  learner: sac.hyperparameters,
  online,
});

/** Trains the policy and keeps the state of its best evaluation. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { parameters: { task: name, first, learner: h, online: o }, seed } = context;
  const world = await openWorld(context.parameters.world);
  const task = world.task(name), lanes = o.lanes;
  const scale = stateScale(decodeEpisodes(await Deno.readFile(context.input.demonstrations.path)), 1);
  const sizes = { state: scale.center.length, action: 7 }, shapes = sac.updateShapes(sizes, h);

  const resumed = await resume(context);
  const replay = resumed
    ? Replay.fromTensors(resumed.tensors, "replay/")
    : new Replay(h.buffer, transitionShapes(sizes.state));
  const initial = resumed?.learner ?? sac.initialize(stream(seed, "sac", "initialize"), sizes, h);
  await using learner = await Learner.create(compileUpdate(sac.update(h), shapes), initial, {
    threads: context.threads,
    concurrent: o.pipelined,
  });
  const opened = { weights: initial, scale, lanes, hyperparameters: h, session: acting(o) };
  await using actor = await SacActor.open(opened);
  await using evaluated = await SacActor.open(opened);
  await using pool = await world.pool({ lanes, workers: context.workers });
  await using evaluationPool = await world.pool({ lanes, workers: context.workers });

  const { interval } = batchSizes({ ...o, criticUpdates: h.criticUpdates });
  const running = await OnlineLanes.open({
    pool,
    base: new ZeroBase(),
    scale,
    exploration: { task, seed, first, probing: 0, probingLength: 0 },
    size: lanes,
    ...(resumed ? { snapshot: resumed.tensors } : {}),
  });
  const { weights, curve } = await learnOnline(context, {
    schedule: {
      steps: o.steps,
      lanes,
      iterations: o.iterations,
      calls: everySteps({ interval, episodes: o.randomEpisodes }),
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
      evaluate: (state, _, signal) => {
        evaluated.weights = state;
        const pooled = { pool: evaluationPool, lanes, task, first, signal };
        return trainingSuccess({ ...pooled, actor: evaluated, episodes: o.evaluationEpisodes });
      },
      beside: () => ({}),
      batches: (iterations, draw, noise) => {
        const batches = Object.fromEntries(
          Object.entries(shapes.batch).map(([key, shape]) => [key, ndarray([iterations, ...shape])]),
        );
        fillHalves(batches, { offline: replay, online: replay, draw, batch: h.batch, offlineFraction: 0 });
        noise.fillNormal(batches.nextNoise!.data);
        noise.fillNormal(batches.noise!.data);
        return batches;
      },
      round: async ({ weights, explore }) => {
        actor.weights = weights;
        const noise = ndarray([lanes, 7]);
        explore.fillNormal(noise.data);
        return running.step(await actor.actions(running.states, noise));
      },
      store: (transition) => {
        const reward = h.rewardBias + (transition.terminated![0] ? h.rewardScale : 0);
        replay.add({ ...transition, reward: [reward] });
      },
    },
  });
  await writeTrained(context, { weights, scale, curve });
}
