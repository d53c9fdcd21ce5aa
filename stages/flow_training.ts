/** Gradient steps of a flow policy on windows of episodes, with progress and checkpoints: cloning and distillation. */
import { normalize } from "../data/normalization.ts";
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import * as flow from "../policies/flow.ts";
import { exportPolicy, type PolicyNormalization } from "../policies/policy.ts";
import { Stream, stream } from "../random.ts";
import type { EpisodeContext } from "./episode_batch.ts";
import type { Windows } from "./windows.ts";

const ACTION = 7;
/** Updates in one call of the learner; more make no difference to speed and delay progress. */
const CALL = 50;

/** Mean loss over a call of the learner. */
export interface LossRow {
  /** Gradient steps done after the call. */
  readonly gradient_steps: number;
  /** Mean flow loss of the call's steps. */
  readonly loss: number;
}

/** A trained flow policy. */
export interface TrainedFlow {
  /** Averaged weights. */
  readonly weights: Tensors;
  /** Them and their units as a program for one row. */
  readonly onnx: Uint8Array;
  /** An encoded table of `LossRow`. */
  readonly losses: Uint8Array;
}

/** The rows of `x` at `indices`, [n, ...]. */
function rows(x: NDArray, indices: Int32Array, out: Float32Array): void {
  const width = x.data.length / x.shape[0]!;
  for (let i = 0; i < indices.length; i++) {
    out.set(x.data.subarray(indices[i]! * width, (indices[i]! + 1) * width), i * width);
  }
}

/**
 * Trains from `initial` (a learner state of `flow.initialize` or `flow.fineTune`) and returns what it became.
 *
 * `share` is the part of each batch drawn from a set of windows; the last set takes the rest.
 */
export async function trainFlow(
  context: EpisodeContext & { readonly seed: number; readonly threads: number },
  { initial, sets, normalization, hyperparameters: h, sizes }: {
    initial: Tensors;
    sets: readonly { readonly windows: Windows; readonly share: number }[];
    normalization: PolicyNormalization;
    hyperparameters: flow.Hyperparameters;
    sizes: flow.Sizes;
  },
): Promise<TrainedFlow> {
  const data = sets.map(({ windows, share }) => ({
    share,
    features: normalize(normalization.features, windows.features),
    chunks: normalize(normalization.actions, windows.chunks),
  }));
  const bytes = await context.checkpoint.read();
  const saved = bytes && decodeSafetensors(bytes);
  const progress: { step: number; losses: LossRow[]; draw: number; noise: number } = saved
    ? JSON.parse(saved.metadata.progress!)
    : { step: 0, losses: [], draw: 0, noise: 0 };
  const draw = new Stream(stream(context.seed, "flow", "draw").key, progress.draw);
  const noise = new Stream(stream(context.seed, "flow", "noise").key, progress.noise);
  await using learner = await Learner.create(
    compileUpdate(flow.update(h), flow.updateShapes(sizes, h)),
    saved?.tensors ?? initial,
    { threads: context.threads },
  );
  const save = () =>
    context.checkpoint.write(encodeSafetensors(learner.state, {
      progress: JSON.stringify({ ...progress, draw: draw.counter, noise: noise.counter }),
    }));

  while (progress.step < h.steps) {
    const calls = Math.min(CALL, h.steps - progress.step);
    const chunk = [calls, h.batch, sizes.horizon, ACTION];
    const batches = {
      features: ndarray([calls, h.batch, sizes.features]),
      actions: ndarray(chunk),
      weight: ndarray([calls, h.batch, sizes.horizon]),
      noise: ndarray(chunk),
      time: ndarray([calls, h.batch]),
    };
    batches.weight.data.fill(1);
    for (let call = 0; call < calls; call++) {
      let from = 0;
      data.forEach(({ share, features, chunks }, i) => {
        const count = i === data.length - 1 ? h.batch - from : Math.round(share * h.batch);
        const indices = Int32Array.from({ length: count }, () => draw.integer(features.shape[0]!));
        const row = call * h.batch + from;
        rows(features, indices, batches.features.data.subarray(row * sizes.features));
        rows(chunks, indices, batches.actions.data.subarray(row * sizes.horizon * ACTION));
        from += count;
      });
    }
    noise.fillNormal(batches.noise.data);
    flow.drawTimes(noise, batches.time.data);
    const { loss } = await learner.update(batches);
    const mean = loss!.data.reduce((a, b) => a + b, 0) / calls;
    if (!Number.isFinite(mean)) {
      throw new Error(`Cannot go on training: the loss is ${mean} after ${progress.step} gradient steps`);
    }
    progress.step += calls;
    progress.losses.push({ gradient_steps: progress.step, loss: mean });
    context.spend({ gradientSteps: calls });
    context.progress({
      done: progress.step,
      total: h.steps,
      unit: "gradient steps",
      note: `loss ${mean.toFixed(4)}`,
    });
    if (context.interrupted()) {
      await save();
      throw context.interruption();
    }
    if (context.checkpoint.due()) await save();
  }
  const weights = flow.acting(learner.state), { losses } = progress;
  return {
    weights,
    onnx: exportPolicy(weights, normalization, 1).onnx,
    losses: encodeTable({
      gradient_steps: Int32Array.from(losses, (row) => row.gradient_steps),
      loss: Float64Array.from(losses, (row) => row.loss),
    }),
  };
}
