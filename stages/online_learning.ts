/**
 * The actor-learner loop of off-policy RL in lanes: act, store, update, evaluate, by a fixed schedule, so that the
 * same seed gives the same bytes, and an interrupted run continues to them.
 */
import type { Replay, Rows } from "../data/replay.ts";
import type { Learner } from "../engine/learner.ts";
import type { Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { Stream, stream } from "../random.ts";
import type { EpisodeContext } from "./episode_batch.ts";
import type { Calls } from "./learner_calls.ts";
import type { CurveRow } from "./learning_curve.ts";
import { checkpointBytes, fresh, type Resumed } from "./online_checkpoint.ts";
import { type Evaluate, Evaluations } from "./online_evaluations.ts";
import type { Round } from "./training_lanes.ts";

/** When things happen, in environment steps of the online phase unless said. */
export interface Schedule {
  /** Environment steps in all. */
  readonly steps: number;
  /** Episodes stepped together. */
  readonly lanes: number;
  /** Iterations of the update program in one call of the learner. */
  readonly iterations: number;
  /** How many calls of the learner are due. */
  readonly calls: Calls;
  /** Environment steps between two evaluations. */
  readonly evaluateEvery: number;
  /** Episodes of one evaluation. */
  readonly evaluationEpisodes: number;
  /** The best of the evaluations from here on is the result. */
  readonly selectFrom: number;
  /**
   * Whether lanes, learner and evaluations go on beside each other. The lanes then act with the weights from before the
   * learner's call that is under way, and an evaluation is of the weights of the step it was begun at: by the schedule
   * and not by the clock, so that the bytes stay the same on any machine.
   */
  readonly pipelined: boolean;
}

/** The lanes of a method, as far as the loop knows them. */
export interface LearningLanes {
  /** Episodes begun so far. */
  readonly episodes: number;
  /** All state of the lanes. */
  snapshot(): Tensors;
}

/** What a round of acting starts from. */
export interface Acting {
  /** The weights to act with: the newest, or under a pipelined schedule those from before the call under way. */
  readonly weights: Tensors;
  /** Draws the exploration; its counter is part of the checkpoint. */
  readonly explore: Stream;
  /** Environment steps so far. */
  readonly onlineSteps: number;
  /** Episodes that have ended so far. */
  readonly ended: number;
}

/** What differs between methods. */
export interface OnlineMethod {
  /** Runs the updates and holds the state. */
  readonly learner: Learner;
  /** The groups of its state that acting reads. */
  readonly acting: readonly string[];
  /** Critic updates in one iteration of the learner's program. */
  readonly criticUpdates: number;
  /** Takes the transitions. */
  readonly replay: Pick<Replay, "added" | "size"> & {
    /** Everything it is, for a checkpoint. */
    toTensors(prefix: string): Record<string, Rows>;
  };
  /** Turns stored transitions into the batches of `iterations` updates. */
  batches(iterations: number, draw: Stream, noise: Stream, onlineSteps: number): Tensors;
  /** One control step in every lane. */
  round(acting: Acting): Promise<Round>;
  /** Adds reward to a transition of the lanes and stores it. */
  store(transition: Readonly<Record<string, ArrayLike<number>>>): void;
  /**
   * Success rate of the deterministic policy under these weights on training states, and the steps that took. Under a
   * pipelined schedule rounds go on meanwhile, so it shares nothing with them.
   */
  readonly evaluate: Evaluate;
  /** What belongs to the weights of this moment to act as they did, beside them. */
  beside(onlineSteps: number): Tensors;
}

const RECENT = 50;

/**
 * Runs the online phase and returns the weights of the best evaluation with the learning curve. Later evaluations
 * win ties: among equals, the one that has learned longest.
 */
export async function learnOnline(
  context: EpisodeContext & { readonly seed: number },
  { schedule, lanes, method, resumed }: {
    schedule: Schedule;
    lanes: LearningLanes;
    method: OnlineMethod;
    resumed?: Resumed | undefined;
  },
): Promise<{ weights: Tensors; curve: readonly CurveRow[] }> {
  const { steps, iterations, evaluateEvery, selectFrom, pipelined } = schedule;
  const counters = resumed?.counters ?? fresh();
  const open = (name: string): Stream => {
    const { key } = stream(context.seed, "online", name);
    return new Stream(key, counters.streams[name] ?? 0);
  };
  const streams = { explore: open("explore"), draw: open("draw"), noise: open("noise") };
  let best = resumed?.best ?? {};
  const newest = (): Tensors => Object.assign({}, ...method.acting.map((g) => part(method.learner.state, g)));
  let acting = resumed?.acting ?? newest();
  let underway: Promise<void> | undefined;
  const finished = async () => {
    await underway;
    underway = undefined;
  };

  await using evaluations = new Evaluations(method.evaluate);
  const selectable = (at: number) => at >= Math.min(selectFrom, steps);
  const settle = async () => {
    const found = await evaluations.settled();
    if (!found) return;
    const { state, row, success, environmentSteps } = found;
    // Selection is paid for like learning.
    context.spend({ environmentSteps });
    if (selectable(row.environment_steps!) && success >= counters.bestSuccess) {
      counters.bestSuccess = success;
      best = state;
    }
    counters.curve.push({ ...row, success });
  };

  const evaluate = async () => {
    await settle();
    await finished();
    const { recent, sums, updates } = counters;
    const means = Object.entries(sums).map(([name, sum]) => [name, sum / Math.max(1, updates)]);
    const row = {
      environment_steps: counters.steps,
      gradient_steps: counters.learned,
      success: NaN,
      episodes: schedule.evaluationEpisodes,
      training_success: recent.length ? recent.filter(Boolean).length / recent.length : NaN,
      ...Object.fromEntries(means),
    };
    counters.sums = {};
    counters.updates = 0;
    counters.evaluated = counters.steps;
    // Copied now: a state on a device cannot be read after a later update.
    const state = selectable(counters.steps)
      ? { ...method.learner.state, ...method.beside(counters.steps) }
      : newest();
    evaluations.begin({ state, row });
    if (!pipelined) await settle();
  };

  const take = (metrics: Tensors, when: number) => {
    for (const [name, { data }] of Object.entries(metrics)) {
      const sum = data.reduce((a, b) => a + b, 0);
      if (!Number.isFinite(sum)) {
        throw new Error(
          `Cannot go on learning: "${name}" is ${sum} after ${when} environment steps`,
        );
      }
      counters.sums[name] = (counters.sums[name] ?? 0) + sum;
    }
  };

  const learn = async () => {
    // Drawn while an earlier call may still be under way.
    const batches = method.batches(iterations, streams.draw, streams.noise, counters.steps);
    await finished();
    if (pipelined) acting = newest();
    counters.updates += iterations;
    counters.learned += iterations * method.criticUpdates;
    context.spend({ gradientSteps: iterations * method.criticUpdates });
    const when = counters.steps;
    underway = method.learner.update(batches).then((metrics) => take(metrics, when));
    // It is awaited later; until then a failure must not count as unhandled.
    underway.catch(() => {});
    if (pipelined) return;
    await finished();
    acting = newest();
  };

  const save = async () => {
    await finished();
    for (const [name, s] of Object.entries(streams)) counters.streams[name] = s.counter;
    const { pending } = evaluations;
    const held = { learner: method.learner.state, best, acting, evaluation: pending?.state ?? {} };
    const others = { ...method.replay.toTensors("replay/"), ...lanes.snapshot() };
    // An evaluation under way is not waited for: whoever resumes begins it anew.
    await context.checkpoint.write(checkpointBytes(held, others, { ...counters, pending: pending?.row }));
  };

  const play = async () => {
    const ended = lanes.episodes - schedule.lanes;
    const { transitions, ended: outcomes } = await method.round({
      weights: acting,
      explore: streams.explore,
      onlineSteps: counters.steps,
      ended,
    });
    for (const transition of transitions) method.store(transition);
    counters.recent = [...counters.recent, ...outcomes].slice(-RECENT);
    counters.steps += schedule.lanes;
    context.spend({ environmentSteps: schedule.lanes });
    return schedule.calls({
      steps: counters.steps,
      ended,
      stored: method.replay.added,
      held: method.replay.size,
      calls: counters.learned / (iterations * method.criticUpdates),
    });
  };

  try {
    if (counters.pending) evaluations.begin({ state: resumed!.evaluation, row: counters.pending });
    if (counters.evaluated < 0) await evaluate();
    while (counters.steps < steps) {
      const due = await play();
      for (let call = 0; call < due; call++) await learn();
      if (counters.steps - counters.evaluated >= evaluateEvery || counters.steps >= steps) await evaluate();
      const evaluated = counters.curve.at(-1);
      context.progress({
        done: Math.min(counters.steps, steps),
        total: steps,
        unit: "environment steps",
        ...(evaluated ? { success: evaluated.success! } : {}),
      });
      if (context.interrupted()) {
        await save();
        throw context.interruption();
      }
      if (context.checkpoint.due()) await save();
    }
    await settle();
  } finally {
    // After a failure too nothing may run on: the learner is about to be disposed.
    await underway?.catch(() => {});
  }
  return { weights: best, curve: counters.curve };
}
