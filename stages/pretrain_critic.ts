/** PLD, before stage 1: the critic learns from the base's successes by Cal-QL, with an actor beside it. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { Stream, stream } from "../random.ts";
import * as calql from "../rl/calql.ts";
import * as pld from "../rl/pld.ts";
import { residualScale } from "../rl/residual.ts";
import { curveColumns, type CurveRow } from "./learning_curve.ts";
import { offlineReplay, stateScale } from "./transitions.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Successful episodes of the base. */
export const inputs = { offline: "episodes" } as const;
/** The learner state that the online phase starts from, and the losses. */
export const outputs = { weights: "weights", losses: "metrics" } as const;

/** What pre-training needs of the learner: a longer warm-up or a larger buffer trains the same critic. */
export const pretraining = pld.hyperparameters.omit({
  buffer: true,
  warmupEpisodes: true,
  criticUpdates: true,
  nextActions: true,
});

/** What the stage is told. */
export const parameters = z.strictObject({
  execute: z.int().min(1).max(64).describe("actions executed of each chunk of the base"),
  learner: pretraining,
  calql: calql.hyperparameters,
});

/** Updates in one call of the learner. */
const CALL = 10;
/** Scale of a policy sample when xi is 0: a density needs some width. */
const LEAST_XI = 1e-3;

/** Takes `calql.steps` updates on the offline transitions. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { parameters: { execute, learner, calql: c }, seed } = context;
  const h = pld.hyperparameters.parse(learner);
  const episodes = decodeEpisodes(await Deno.readFile(context.input.offline.path));
  const scale = stateScale(episodes, execute);
  const offline = offlineReplay(episodes, { scale, execute, reward: h });
  const sizes = { state: scale.center.length, action: 7 };
  const shapes = calql.updateShapes(sizes, h, c);

  const bytes = await context.checkpoint.read();
  const saved = bytes && decodeSafetensors(bytes);
  const progress: { step: number; losses: CurveRow[]; counters: number[] } = saved
    ? JSON.parse(saved.metadata.progress!)
    : { step: 0, losses: [], counters: [0, 0] };
  const [draw, noise] = ["draw", "noise"].map((name, i) =>
    new Stream(stream(seed, "calql", name).key, progress.counters[i])
  ) as [Stream, Stream];
  await using critic = await Learner.create(
    compileUpdate(calql.update(h, c), shapes),
    saved?.tensors ?? pld.initialize(stream(seed, "calql", "initialize"), sizes, h),
    { threads: context.threads },
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
    const { nextNoise, random, currentNoise, followingNoise, noise: actorNoise, xi: scales, ...columns } =
      batches;
    offline.sample(draw, columns, 0, calls * h.batch);
    for (const x of [nextNoise, currentNoise, followingNoise, actorNoise]) noise.fillNormal(x!.data);
    noise.fillUniform(random!.data, -1, 1);
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
    context.progress({
      done: progress.step,
      total: c.steps,
      unit: "gradient steps",
      note: `critic loss ${row["critic/loss"]!.toFixed(3)}`,
    });
    if (context.interrupted()) {
      await save();
      throw context.interruption();
    }
    if (context.checkpoint.due()) await save();
  }
  const state = h.keepPretrainedActor
    ? critic.state
    : pld.resetActor(stream(seed, "calql", "actor"), critic.state, sizes, h);
  await context.output.weights.write(encodeSafetensors(state));
  await context.output.losses.write(
    encodeTable(
      progress.losses.length > 0 ? curveColumns(progress.losses) : { gradient_steps: new Float64Array(0) },
    ),
  );
}
