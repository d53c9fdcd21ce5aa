/** The updates of Cal-QL before stage 1, whatever the critic sees: batches, a table of losses, checkpoints. */
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import { Learner } from "../engine/learner.ts";
import type { Program } from "../engine/program.ts";
import type { Shapes } from "../engine/trace.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import * as pld from "../rl/pld.ts";
import { residualScale } from "../rl/residual.ts";
import { Stream, stream } from "../random.ts";
import { curveColumns, type CurveRow } from "./learning_curve.ts";

/** The pretrained learner state, and means over calls. */
export const outputs = { weights: "weights", losses: "metrics" } as const;

/** What pre-training needs of the learner: a longer warm-up or a larger buffer trains the same critic. */
export const pretraining = pld.hyperparameters.omit({
  buffer: true,
  warmupEpisodes: true,
  criticUpdates: true,
  nextActions: true,
});

/** Scale of a policy sample when xi is 0: a density needs some width. */
const LEAST_XI = 1e-3;

/** What differs between critics of states and of pictures. */
export interface Pretraining {
  /** The learner's settings. */
  readonly h: pld.Hyperparameters;
  /** Updates in all, and in one call of the learner. */
  readonly steps: number;
  /** Updates in one call of the learner. */
  readonly call: number;
  /** One update. */
  readonly program: Program;
  /** Shapes of its batch. */
  readonly batch: Shapes;
  /** A fresh learner state. */
  initialize(draws: Stream): Tensors;
  /** The pretrained state with a fresh actor. */
  resetActor(draws: Stream, state: Tensors): Tensors;
  /** Fills the columns of `rows` transitions; `noise` has drawn what all critics need. */
  fill(columns: Tensors, rows: number, draws: { readonly draw: Stream; readonly noise: Stream }): void;
}

/**
 * Takes the updates and writes both outputs.
 *
 * @throws {Error} when a metric is no longer finite
 */
export async function pretrain(
  context: StageContext<Record<never, never>, typeof outputs, unknown>,
  { h, steps, call, program, batch, initialize, resetActor, fill }: Pretraining,
): Promise<void> {
  const { seed, threads } = context;
  const bytes = await context.checkpoint.read();
  const saved = bytes && decodeSafetensors(bytes);
  const progress: { step: number; losses: CurveRow[]; counters: number[] } = saved
    ? JSON.parse(saved.metadata.progress!)
    : { step: 0, losses: [], counters: [0, 0] };
  const [draw, noise] = ["draw", "noise"].map((name, i) =>
    new Stream(stream(seed, "calql", name).key, progress.counters[i])
  ) as [Stream, Stream];
  const initial = saved?.tensors ?? initialize(stream(seed, "calql", "initialize"));
  await using critic = await Learner.create(program, initial, { threads });
  const xi = residualScale(h, h.xiSchedule.steps).map((x) => Math.max(x, LEAST_XI));
  const save = () =>
    context.checkpoint.write(encodeSafetensors(critic.state, {
      progress: JSON.stringify({ ...progress, counters: [draw.counter, noise.counter] }),
    }));

  while (progress.step < steps) {
    const calls = Math.min(call, steps - progress.step);
    const batches = Object.fromEntries(
      Object.entries(batch).map(([name, shape]) => [name, ndarray([calls, ...shape])]),
    );
    const { nextNoise, random, currentNoise, followingNoise, noise: actorNoise, xi: scales, ...columns } =
      batches;
    for (const x of [nextNoise, currentNoise, followingNoise, actorNoise]) noise.fillNormal(x!.data);
    noise.fillUniform(random!.data, -1, 1);
    for (let i = 0; i < calls; i++) scales!.data.set(xi, i * xi.length);
    fill(columns, calls * h.batch, { draw, noise });
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
      total: steps,
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
    : resetActor(stream(seed, "calql", "actor"), critic.state);
  await context.output.weights.write(encodeSafetensors(state));
  await context.output.losses.write(
    encodeTable(
      progress.losses.length > 0 ? curveColumns(progress.losses) : { gradient_steps: new Float64Array(0) },
    ),
  );
}
