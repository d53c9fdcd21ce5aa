/** Success of a policy on held-out initial states: every task, every fixed state, under several noise streams. */
import { z } from "zod";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { encodeTable } from "../data/table.ts";
import { evaluationStates } from "../envs/environment.ts";
import { Pool } from "../envs/pool.ts";
import type { StageContext } from "../lab/stage.ts";
import { runEpisodes } from "./episode_batch.ts";
import { openSpecialists, ResidualActor } from "./residual_actor.ts";
import type { Plan } from "./recording.ts";
import { openBase } from "./chunked_base.ts";
import { taskOf } from "./task_of.ts";

export const entry = import.meta.url;
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  residuals: "weights[]",
  scales: "normalization[]",
} as const;
export const outputs = { evaluation: "evaluation", episodes: "episodes" } as const;

export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  states: z.int().min(1).max(evaluationStates).describe(
    "fixed evaluation states of each task, from the first",
  ),
  noises: z.int().min(1).max(100).describe("noise streams; each state is run once under each"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  xi: z.number().min(0).max(2).describe("residual scale"),
  xiGripper: z.number().min(0).max(2).nullable().describe(
    "residual scale of the gripper dimension; null: xi",
  ),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
});

/** Without `residuals` the base acts alone; otherwise there is one specialist for each task, in their order. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { tasks, states, noises, execute, xi, xiGripper, lanes } = context.parameters;
  const { weights, normalization, residuals, scales } = context.input;
  await using base = await openBase({ ...context, weights, normalization, lanes, execute, tasks });
  await using specialists = await openSpecialists({
    ...context,
    residuals,
    scales,
    tasks,
    lanes,
    xi,
    xiGripper,
  });
  const plans: Plan[] = tasks.flatMap((name) =>
    Array.from({ length: noises }, (_, noise) =>
      Array.from({ length: states }, (_, index): Plan => ({
        task: taskOf(name),
        state: { split: "evaluation", index },
        noise,
      }))).flat()
  );
  await using pool = await Pool.open({ suite: "tabletop", lanes, workers: context.workers });
  const { tried } = await runEpisodes(context, {
    pool,
    size: lanes,
    actor: new ResidualActor({ base, specialists }),
    observations: false,
    wanted: plans.length,
    keep: () => true,
    plan: (i) => plans[i],
  });
  await context.output.evaluation.write(encodeTable({
    task: tried.map((episode) => episode.task),
    index: Int32Array.from(tried, (episode) => episode.index),
    noise: Int32Array.from(tried, (episode) => episode.tags.noise!),
    success: Uint8Array.from(tried, (episode) => Number(episode.success)),
    length: Int32Array.from(tried, (episode) => episode.length),
  }));
  await context.output.episodes.write(encodeEpisodes(tried));
}
