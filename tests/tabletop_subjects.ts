/** What tests of stages start from: episodes of the tabletop and small cloned bases, made once for each test file. */
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import type { Episode } from "../data/episode.ts";
import { openTabletop } from "../envs/tabletop.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import type { Artifact } from "../lab/stage.ts";
import { stream } from "../random.ts";
import * as clone from "../stages/clone.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import { observationRow, Recording } from "../stages/recording.ts";
import { attempt } from "./stage_context.ts";

/** The task of these tests; its step budget is 160. */
export const task = scenes[0]!.task;
export const tasks = [task.name];
/** The world of these tests, as stages are told of it. */
export const world = { name: "tabletop" } as const;

/** An episode of random actions, cut after `length` steps and called a success as told. */
export async function recorded(
  length: number,
  { index = 0, success = true, name = task.name }: { index?: number; success?: boolean; name?: string } = {},
): Promise<Episode> {
  using environment = await openTabletop(name);
  const state = { split: "training", index } as const;
  let observation = environment.reset(state);
  const recording = new Recording({ task: environment.task, state, noise: 0 });
  for (let t = 0; t < length; t++) {
    const action = stream(9, "recorded", index, t).fillUniform(new Float32Array(7), -1, 1);
    recording.add({ ...observationRow(observation), action, base: action });
    ({ observation } = environment.step(action));
  }
  return recording.finish(success);
}

/** Successful demonstrations of the scripted expert. */
export async function demonstrations(episodes = 2): Promise<Artifact> {
  const { output } = await attempt(demonstrate, {}, { world, task: task.name, episodes, first: 0, lanes: 4 });
  return output.episodes;
}

export async function episodesOf({ path }: Artifact): Promise<Episode[]> {
  return decodeEpisodes(await Deno.readFile(path));
}

/** A stored base policy. */
export interface Base {
  readonly weights: Artifact;
  readonly normalization: Artifact;
}

/** A base that moves but hardly ever succeeds: two demonstrations and twenty steps of a tiny network. */
export async function tinyBase(): Promise<Base> {
  const { output: { weights, normalization } } = await attempt(
    clone,
    { demonstrations: [await demonstrations(2)] },
    { tasks, horizon: 8, flow: { steps: 20, batch: 8, width: 16, layers: 2, warmup: 2, ema: 0.9 } },
  );
  return { weights, normalization };
}

/** A base that solves the task now and then, some 25 % of the time: for tests that need both outcomes. */
export async function capableBase(): Promise<Base> {
  const { output: { weights, normalization } } = await attempt(
    clone,
    { demonstrations: [await demonstrations(12)] },
    { tasks, horizon: 16, flow: { steps: 800, batch: 128, width: 128, layers: 2, warmup: 5, ema: 0.99 } },
  );
  return { weights, normalization };
}
