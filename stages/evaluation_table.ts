/** The plans and the table of an evaluation on held-out initial states; shared by the stages that evaluate. */
import { z } from "zod";
import type { Episode } from "../data/episode.ts";
import { encodeTable } from "../data/table.ts";
import { evaluationStates } from "../envs/environment.ts";
import type { Plan } from "./recording.ts";
import { type World, world } from "./world.ts";

/** What every evaluation is parameterised by. */
export const protocol = {
  world,
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  states: z.int().min(1).max(evaluationStates).describe(
    "fixed evaluation states of each task, from the first",
  ),
  noises: z.int().min(1).max(100).describe("noise streams; each state is run once under each"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
} as const;

/** Every task, under every noise stream, from every state: the same plans for every policy, so that results pair. */
export function evaluationPlans(
  world: World,
  { tasks, states, noises }: { tasks: readonly string[]; states: number; noises: number },
): Plan[] {
  const plans: Plan[] = [];
  for (const name of tasks) {
    for (let noise = 0; noise < noises; noise++) {
      for (let index = 0; index < states; index++) {
        plans.push({ task: world.task(name), state: { split: "evaluation", index }, noise });
      }
    }
  }
  return plans;
}

/** One row an episode: task, index of the initial state, number of the noise stream, success (0 or 1), length. */
export function evaluationTable(episodes: readonly Episode[]): Uint8Array {
  return encodeTable({
    task: episodes.map((episode) => episode.task),
    index: Int32Array.from(episodes, (episode) => episode.index),
    noise: Int32Array.from(episodes, (episode) => episode.tags.noise!),
    success: Uint8Array.from(episodes, (episode) => Number(episode.success)),
    length: Int32Array.from(episodes, (episode) => episode.length),
  });
}
