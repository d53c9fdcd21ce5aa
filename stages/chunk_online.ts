/**
 * The online phase of QC and QC-FQL: the learner acts, what it did is added to the buffer that it was trained on offline,
 * and it goes on learning from all of it (QC's protocol).
 */
import { z } from "zod";
import { decodeNormalizations } from "../data/normalization.ts";
import { Replay } from "../data/replay.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import type { ChunkLearner } from "../rl/qc.ts";
import { readEpisodes } from "./stored_episodes.ts";
import { ChunkLanes } from "./chunk_lanes.ts";
import { bufferOf, type ChunkMethod, drawBatches, openActor, readUnits, sizesOf } from "./chunk_training.ts";
import { everyTransitions } from "./learner_calls.ts";
import { resume } from "./online_checkpoint.ts";
import { learnOnline } from "./online_learning.ts";
import { budget, type outputs, scaleOf, writeTrained } from "./online_outputs.ts";
import { acting, trainingSuccess } from "./rollout.ts";
import { openWorld, world } from "./world.ts";

/** The offline phase's outcome and what it learned from. */
export const inputs = {
  weights: "weights",
  scale: "normalization",
  normalization: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
} as const;

/** Settings of the online phase; the public code's values. */
export const online = z.strictObject({
  ...budget,
  steps: budget.steps.removeDefault().default(1_000_000),
  updatesPerStep: z.number().positive().default(1).describe("updates for each environment step"),
  start: z.int().min(0).default(5000).describe("environment steps before the first update"),
});

/** What these stages are told, beside their learner's settings. */
export const parameters = {
  world,
  task: z.string().describe("the task"),
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the one-hot input"),
  first: z.int().min(0).describe("first training initial state; evaluations start 1,000,000 later"),
  online,
} as const;

/** The parameters as such a stage gets them. */
export type Parameters<H> = z.output<z.ZodObject<typeof parameters>> & { readonly learner: H };

/** Goes on learning and writes the state of the best evaluation. `candidates` chunks are drawn at each query. */
export async function trainOnline<H extends ChunkLearner>(
  context: StageContext<typeof inputs, typeof outputs, Parameters<H>>,
  method: ChunkMethod<H>,
  candidates: number,
): Promise<void> {
  const { input, seed, parameters: { tasks, first, learner: h, online: o } } = context;
  const simulated = await openWorld(context.parameters.world), lanes = o.lanes;
  const task = simulated.task(context.parameters.task);
  const units = await readUnits(input.normalization);
  const scale = scaleOf(decodeNormalizations(await Deno.readFile(input.scale.path)), input.scale);
  const sizes = sizesOf(scale, units), view = { scale, tasks };
  const episodes = [...await readEpisodes(input.episodes), ...await readEpisodes(input.demonstrations)];
  const offline = episodes.reduce((sum, { length }) => sum + length, 0);

  const resumed = await resume(context);
  const replay = resumed
    ? Replay.fromTensors(resumed.tensors, "replay/")
    // Every lane may end an episode in the last round.
    : bufferOf(episodes, { view, sizes, h, more: o.steps + lanes });
  const initial = resumed?.learner ?? decodeSafetensors(await Deno.readFile(input.weights.path)).tensors;
  const shapes = method.updateShapes(sizes, h);
  const program = compileUpdate(method.update(h, units), shapes);
  await using learner = await Learner.create(program, initial, {
    threads: context.threads,
    concurrent: o.pipelined,
  });
  const opened = { weights: initial, lanes, candidates, view, units, h, seed, session: acting(o) };
  await using acts = await openActor(method, opened);
  await using judged = await openActor(method, opened);
  await using pool = await simulated.pool({ lanes, workers: context.workers });
  await using evaluationPool = await simulated.pool({ lanes, workers: context.workers });
  const running = await ChunkLanes.open({
    pool,
    actor: acts.actor,
    task,
    first,
    size: lanes,
    view,
    form: h,
    ...(resumed ? { snapshot: resumed.tensors } : {}),
  });

  const { weights, curve } = await learnOnline(context, {
    schedule: {
      steps: o.steps,
      lanes,
      iterations: o.iterations,
      calls: everyTransitions({
        start: offline + o.start,
        updates: o.updatesPerStep,
        perCall: o.iterations,
      }),
      evaluateEvery: o.evaluateEvery,
      evaluationEpisodes: o.evaluationEpisodes,
      selectFrom: o.selectFrom * o.steps,
      pipelined: o.pipelined,
    },
    lanes: running,
    resumed,
    method: {
      learner,
      acting: ["critic", "velocity", "onestep"],
      criticUpdates: 1,
      replay,
      evaluate: (state, _, signal) => {
        judged.weights(state);
        const where = { pool: evaluationPool, lanes, task, first, signal };
        return trainingSuccess({ ...where, actor: judged.actor, episodes: o.evaluationEpisodes });
      },
      beside: () => ({}),
      batches: (iterations, rows, noise) => drawBatches(shapes.batch, iterations, { replay, rows, noise }),
      round: ({ weights }) => {
        acts.weights(weights);
        return running.step();
      },
      store: (row) => replay.add(row),
    },
  });
  await writeTrained(context, { weights, scale, curve });
}
