/** A base policy by cloning: a flow-matching chunk policy fitted to a few demonstrations. */
import { z } from "zod";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import { fit } from "../data/normalization.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import * as flow from "../policies/flow.ts";
import { stream } from "../random.ts";
import { trainFlow, writePolicy } from "./flow_training.ts";
import { windows } from "./windows.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Episodes to clone, of one or several tasks. */
export const inputs = { demonstrations: "episodes[]" } as const;
/** Averaged weights, their units, the same as an ONNX program for one row, and the losses. */
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
  flow: flow.hyperparameters,
});

const ACTION = 7;

/** Fits the units, then the policy. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, horizon, flow: h } = context.parameters;
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
  const trained = await trainFlow(context, {
    initial: flow.initialize(stream(context.seed, "flow", "initialize"), sizes, h),
    sets: [{ windows: cut, share: 1 }],
    normalization,
    hyperparameters: h,
    sizes,
  });
  await writePolicy(context.output, normalization, trained);
}
