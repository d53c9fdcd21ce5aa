/**
 * PLD, stage 2: hybrid rollouts. The base acts for T_base ~ U(0, alpha T) control steps, then the specialist takes
 * over; whole episodes are kept, successes only. So the data start where the base would really be.
 */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import type { StageContext } from "../lab/stage.ts";
import { stream } from "../random.ts";
import { openBase } from "./chunked_base.ts";
import type { OpenBase } from "./online_lanes.ts";
import { runEpisodes } from "./episode_batch.ts";
import { type OpenResidual, openSpecialists, ResidualActor } from "./residual_actor.ts";
import { openWorld, world as settings } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The base and its units; the specialist and the scale of its states. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  residual: "weights",
  scale: "normalization",
} as const;
/** The successful hybrid episodes. */
export const outputs = { episodes: "episodes" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  world: settings,
  task: z.string().describe("the specialist's task"),
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the base's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk of the base"),
  alpha: z.number().min(0).max(1).describe("T_base is uniform below this share of the step budget"),
  episodes: z.int().min(1).max(10_000).describe("successes to keep"),
  attempts: z.int().min(1).max(100_000).describe("episodes tried at most"),
  first: z.int().min(0).describe("first training initial state used"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
});

/** Runs hybrid episodes until enough of them succeeded. */
export function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  return collect(context);
}

/** The same with a specialist opened by `open`; left out: one that sees states. */
export function collect(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
  open?: OpenResidual,
): Promise<void> {
  const { tasks, execute, lanes } = context.parameters;
  const { weights, normalization } = context.input;
  return collectOn(
    context,
    () => openBase({ ...context, weights, normalization, lanes, execute, tasks }),
    open,
  );
}

/** The same on any base. */
export async function collectOn(
  context: Omit<StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>, "input"> & {
    readonly input: Pick<StageContext<typeof inputs, typeof outputs, unknown>["input"], "residual" | "scale">;
  },
  openBase: OpenBase,
  open?: OpenResidual,
): Promise<void> {
  const { task: name, alpha, episodes, attempts, first, lanes } = context.parameters;
  const { residual, scale } = context.input;
  const world = await openWorld(context.parameters.world);
  const task = world.task(name);
  await using base = await openBase();
  await using specialists = await openSpecialists({
    ...context,
    residuals: [residual],
    scales: [scale],
    tasks: [name],
    lanes,
    ...(open ? { open } : {}),
  });
  await using pool = await world.pool({ lanes, workers: context.workers });
  const baseSteps = (i: number) =>
    Math.floor(stream(context.seed, "hand-over", i).uniform(0, alpha * task.maxSteps));
  const { kept, tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: new ResidualActor({ base, specialists, handOver: ({ plan }) => plan.tags!.baseSteps! }),
    observations: true,
    wanted: episodes,
    keep: (episode) => episode.success,
    plan: (i) =>
      i < attempts
        ? {
          task,
          state: { split: "training", index: first + i },
          noise: 0,
          tags: { baseSteps: baseSteps(i) },
        }
        : undefined,
  });
  context.log(`${kept.length} successes of ${tried.length} hybrid episodes of "${name}"`);
  await context.output.episodes.write(encodeEpisodes(kept));
}
