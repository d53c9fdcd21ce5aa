/** A base policy with a likelihood: a Laplace chunk policy fitted to a few demonstrations. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { encodeNormalizations, fit, normalize } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { acting } from "../nn/parameter_groups.ts";
import * as laplace from "../policies/laplace.ts";
import { exportLaplace } from "../policies/laplace_policy.ts";
import { stream } from "../random.ts";
import { gather, learn } from "./update_loop.ts";
import { windows } from "./windows.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Episodes to clone, of one or several tasks. */
export const inputs = { demonstrations: "episodes[]" } as const;
/** Weights that act, their units, both as an ONNX program for one row, and the losses. */
export const outputs = {
  weights: "weights",
  normalization: "normalization",
  policy: "policy",
  losses: "metrics",
} as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the one-hot input"),
  horizon: z.int().min(1).max(64).describe("actions of a chunk"),
  laplace: laplace.hyperparameters,
});

const ACTION = 7;

/** Fits the units, then the policy. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, horizon, laplace: h } = context.parameters;
  const episodes = (await Promise.all(context.input.demonstrations.map(({ path }) => Deno.readFile(path))))
    .flatMap((bytes) => decodeEpisodes(bytes));
  const cut = windows(episodes, { order: tasks, horizon });
  // The single actions, not the windows: padding must not shift the statistics.
  const actions = ndarray(
    [episodes.reduce((n, { length }) => n + length, 0), ACTION],
    Float32Array.from(episodes.flatMap(({ columns }) => [...columns.action!.data])),
  );
  const normalization = {
    features: fit(cut.features, { kind: "z-score", floor: 1e-3 }),
    actions: fit(actions, { kind: "z-score", floor: 1e-2 }),
  };
  const sizes = { features: cut.features.shape[1]!, horizon, action: ACTION };
  const features = normalize(normalization.features, cut.features);
  const chunks = normalize(normalization.actions, cut.chunks);
  const initial = laplace.initialize(stream(context.seed, "laplace", "initialize"), sizes, h);
  const { state, metrics } = await learn(context, {
    program: compileUpdate(laplace.update(h), laplace.updateShapes(initial, sizes, h)),
    initial,
    steps: h.steps,
    batches(calls, _, { rows }) {
      const indices = Int32Array.from({ length: calls * h.batch }, () => rows.integer(features.shape[0]!));
      const weight = ndarray([calls, h.batch, horizon]);
      weight.data.fill(1);
      return { features: gather(features, indices, calls), actions: gather(chunks, indices, calls), weight };
    },
  });
  const weights = acting(state);
  await context.output.weights.write(encodeSafetensors(weights));
  await context.output.normalization.write(encodeNormalizations(normalization));
  await context.output.policy.write(exportLaplace(weights, normalization, 1).onnx);
  await context.output.losses.write(metrics);
}
