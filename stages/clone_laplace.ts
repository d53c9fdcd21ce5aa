/** A base policy with a likelihood: a Laplace chunk policy fitted to a few demonstrations. */
import { z } from "zod";
import { normalize } from "../data/normalization.ts";
import { compileUpdate } from "../engine/program.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { acting } from "../nn/parameter_groups.ts";
import * as laplace from "../policies/laplace.ts";
import { exportLaplace } from "../policies/laplace_policy.ts";
import { stream } from "../random.ts";
import { readDemonstrations } from "./cloning.ts";
import { outputs, writePolicy } from "./trained_policy.ts";
import { gather, learn } from "./update_loop.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Episodes to clone, of one or several tasks. */
export const inputs = { demonstrations: "episodes[]" } as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the one-hot input"),
  horizon: z.int().min(1).max(64).describe("actions of a chunk"),
  laplace: laplace.hyperparameters,
});

/** Fits the units, then the policy. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, horizon, laplace: h } = context.parameters;
  const demonstrations = await readDemonstrations(context.input.demonstrations, { tasks, horizon });
  const { windows, normalization, sizes } = demonstrations;
  const features = normalize(normalization.features, windows.features);
  const chunks = normalize(normalization.actions, windows.chunks);
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
  const weights = acting(state), { onnx } = exportLaplace(weights, normalization, 1);
  await writePolicy(context.output, { weights, normalization, onnx, losses: metrics });
}
