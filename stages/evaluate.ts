/** Success of a policy on held-out initial states: every task, every fixed state, under several noise streams. */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { openBase } from "./chunked_base.ts";
import type { OpenBase } from "./online_lanes.ts";
import { evaluateActor, outputs } from "./evaluation.ts";
import { protocol } from "./evaluation_table.ts";
import { type OpenResidual, openSpecialists, ResidualActor } from "./residual_actor.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base and its units; specialists and the scales of their states, one for each task, or none. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  residuals: "weights[]",
  scales: "normalization[]",
} as const;
export { outputs };

/** What the stage is told. */
export const parameters = z.strictObject({
  ...protocol,
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
});

/** Without `residuals` the base acts alone; otherwise there is one specialist for each task, in their order. */
export function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  return evaluate(context);
}

/** The same with specialists opened by `open`; left out: those that see states. */
export function evaluate(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
  open?: OpenResidual,
): Promise<void> {
  const { tasks, execute, lanes } = context.parameters;
  const { weights, normalization } = context.input;
  return evaluateOn(
    context,
    () => openBase({ ...context, weights, normalization, lanes, execute, tasks }),
    open,
  );
}

/** The same on any base. */
export async function evaluateOn(
  context: Omit<StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>, "input"> & {
    readonly input: Pick<
      StageContext<typeof inputs, typeof outputs, unknown>["input"],
      "residuals" | "scales"
    >;
  },
  openBase: OpenBase,
  open?: OpenResidual,
): Promise<void> {
  const { tasks, lanes } = context.parameters;
  const { residuals, scales } = context.input;
  await using base = await openBase();
  await using specialists = await openSpecialists({
    residuals,
    scales,
    tasks,
    lanes,
    ...(open ? { open } : {}),
  });
  await evaluateActor(
    context,
    new ResidualActor({ base, specialists }),
    await openWorld(context.parameters.world),
  );
}
