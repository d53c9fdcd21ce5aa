/** Gradient steps on batches drawn from a data set, with progress, checkpoints and a table of metrics. */
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import { Learner } from "../engine/learner.ts";
import type { Program } from "../engine/program.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { Stream, stream } from "../random.ts";
import type { EpisodeContext } from "./episode_batch.ts";

/** Updates in one call of the learner. */
const CALL = 50;

/** The streams a batch is drawn from; both continue where a checkpoint left them. */
export interface Draws {
  /** Which rows. */
  readonly rows: Stream;
  /** Noise and times. */
  readonly noise: Stream;
}

/** What was learned, and its metrics: a table with the column `gradient_steps`, then means over calls by name. */
export interface Learned {
  /** The learner's last state. */
  readonly state: Tensors;
  /** An encoded table. */
  readonly metrics: Uint8Array;
}

/**
 * Runs `steps` updates of `program` from `initial`.
 *
 * @param batches draws the batches of `calls` updates, the first of which is number `step`
 * @throws {Error} when the loss is no longer finite
 */
export async function learn(
  context: EpisodeContext & { readonly seed: number; readonly threads: number },
  { program, initial, steps, batches }: {
    readonly program: Program;
    readonly initial: Tensors;
    readonly steps: number;
    readonly batches: (calls: number, step: number, draws: Draws) => Tensors;
  },
): Promise<Learned> {
  const bytes = await context.checkpoint.read();
  const saved = bytes && decodeSafetensors(bytes);
  const progress: { step: number; rows: number; noise: number; metrics: Record<string, number>[] } = saved
    ? JSON.parse(saved.metadata.progress!)
    : { step: 0, rows: 0, noise: 0, metrics: [] };
  const draws = {
    rows: new Stream(stream(context.seed, "update", "rows").key, progress.rows),
    noise: new Stream(stream(context.seed, "update", "noise").key, progress.noise),
  };
  await using learner = await Learner.create(program, saved?.tensors ?? initial, {
    threads: context.threads,
  });
  const save = () =>
    context.checkpoint.write(encodeSafetensors(learner.state, {
      progress: JSON.stringify({ ...progress, rows: draws.rows.counter, noise: draws.noise.counter }),
    }));
  while (progress.step < steps) {
    const calls = Math.min(CALL, steps - progress.step);
    const metrics = await learner.update(batches(calls, progress.step, draws));
    const means = Object.fromEntries(
      Object.entries(metrics).map(([name, { data }]) => [name, data.reduce((a, b) => a + b, 0) / calls]),
    );
    if (!Number.isFinite(means.loss)) {
      throw new Error(
        `Cannot go on training: the loss is ${means.loss} after ${progress.step} gradient steps`,
      );
    }
    progress.step += calls;
    progress.metrics.push({ gradient_steps: progress.step, ...means });
    context.spend({ gradientSteps: calls });
    context.progress({
      done: progress.step,
      total: steps,
      unit: "gradient steps",
      note: `loss ${means.loss!.toFixed(4)}`,
    });
    if (context.interrupted()) {
      await save();
      throw context.interruption();
    }
    if (context.checkpoint.due()) await save();
  }
  const names = Object.keys(progress.metrics[0]!).filter((name) => name !== "gradient_steps").sort();
  return {
    state: learner.state,
    metrics: encodeTable({
      gradient_steps: Int32Array.from(progress.metrics, (row) => row.gradient_steps!),
      ...Object.fromEntries(
        names.map((name) => [name, Float64Array.from(progress.metrics, (row) => row[name]!)]),
      ),
    }),
  };
}

/** The rows of `x` [N, ...] at `indices`, as [calls, batch, ...]. */
export function gather(x: NDArray, indices: Int32Array, calls: number): NDArray {
  const [count, ...inner] = x.shape;
  const width = x.data.length / count!;
  const out = ndarray([calls, indices.length / calls, ...inner]);
  indices.forEach((index, i) => out.data.set(x.data.subarray(index * width, (index + 1) * width), i * width));
  return out;
}
