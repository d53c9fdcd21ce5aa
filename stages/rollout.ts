/** Episodes in lockstep: `size` lanes of a pool step together, so that one batched policy call serves all of them. */
import type { Episode } from "../data/episode.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Lanes, Observation, Step, Task } from "../envs/environment.ts";
import { observationRow, type Plan, Recording, type Row } from "./recording.ts";

/**
 * Threads of the sessions that act. A batch of lanes is too small to be shared out, and a second thread, spinning while
 * it waits for the next call, would take its core from the environments.
 */
export const ACTING_THREADS = 1;

/**
 * How the sessions that act and evaluate are opened. Beside a learner they leave the device to it: there one call waits
 * for the other, and a round of acting would take as long as the learner's whole call.
 */
export function acting({ pipelined }: { readonly pipelined: boolean }): SessionOptions {
  return { threads: ACTING_THREADS, ...(pipelined ? { device: "cpu" } : {}) };
}

/** A running episode in a lane of the pool. */
export interface Lane {
  /** Number of the lane in the pool. */
  readonly index: number;
  /** The episode that runs in it. */
  readonly plan: Plan;
  /** Control steps done. */
  t: number;
  /** The latest observation. */
  observation: Observation;
}

/** What to do in one lane now: the action (7, each in [-1, 1]) and further columns to record with it. */
export interface Decision {
  /** The action, [7]. */
  readonly action: Float32Array;
  /** Further columns of this step. */
  readonly row?: Row;
}

/** Anything that acts in lanes: a base policy, a base with a residual, a scripted expert. */
export interface Actor {
  /** An episode starts in `lane`: caches of the previous one are dropped. */
  begin(lane: Lane): void;
  /** One decision for each occupied lane. */
  act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]>;
}

/** Options of `rollout`. */
export interface RolloutOptions {
  /** The environments. */
  readonly pool: Lanes;
  /** Lanes to use. An episode's bytes do not depend on it, except through the batch size of the policies. */
  readonly size: number;
  /** The i-th episode to run, or undefined when there is none left. */
  readonly plan: (i: number) => Plan | undefined;
  /** What acts. */
  readonly actor: Actor;
  /** Records observations, not only actions. */
  readonly observations: boolean;
  /** Ends the episodes early, with its reason as the error; they then stay where they are. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs planned episodes and yields each as it ends, with the number of its plan. */
export async function* rollout(
  { pool, size, plan, actor, observations, signal }: RolloutOptions,
): AsyncGenerator<{ readonly number: number; readonly episode: Episode }> {
  interface Running {
    readonly number: number;
    readonly lane: Lane;
    readonly recording: Recording;
  }
  const running: (Running | undefined)[] = Array(size).fill(undefined);
  let next = 0;
  const refill = async (index: number) => {
    const chosen = plan(next);
    if (!chosen) return;
    const observation = await pool.reset(index, chosen.task.name, chosen.state);
    const lane: Lane = { index, plan: chosen, t: 0, observation };
    actor.begin(lane);
    running[index] = { number: next++, lane, recording: new Recording(chosen) };
  };
  for (let index = 0; index < size; index++) await refill(index);

  while (running.some((r) => r !== undefined)) {
    signal?.throwIfAborted();
    const decisions = await actor.act(running.map((r) => r?.lane));
    const steps: readonly (Step | undefined)[] = await pool.step(decisions.map((d) => d?.action));
    for (let index = 0; index < size; index++) {
      const current = running[index], step = steps[index], decision = decisions[index];
      if (!current || !step || !decision) continue;
      current.recording.add({
        ...(observations ? observationRow(current.lane.observation) : {}),
        action: decision.action,
        ...decision.row,
      });
      current.lane.observation = step.observation;
      current.lane.t++;
      if (!step.terminated && !step.truncated) continue;
      running[index] = undefined;
      yield { number: current.number, episode: current.recording.finish(step.success) };
      await refill(index);
    }
  }
}

/** Training states kept for the evaluations of a learner, far behind those it learns on. */
const EVALUATION_OFFSET = 1_000_000;

/** Success rate of `actor` on `episodes` training states that no learning episode starts from, and what it took. */
export async function trainingSuccess(
  { pool, lanes, actor, task, first, episodes, signal }: {
    pool: Lanes;
    lanes: number;
    actor: Actor;
    task: Task;
    first: number;
    episodes: number;
    signal?: AbortSignal;
  },
): Promise<{ readonly success: number; readonly environmentSteps: number }> {
  const plan = (i: number): Plan | undefined =>
    i < episodes
      ? { task, state: { split: "training", index: first + EVALUATION_OFFSET + i }, noise: 1 }
      : undefined;
  let successes = 0, environmentSteps = 0;
  for await (const { episode } of rollout({ pool, size: lanes, plan, actor, observations: false, signal })) {
    successes += Number(episode.success);
    environmentSteps += episode.length;
  }
  return { success: successes / episodes, environmentSteps };
}
