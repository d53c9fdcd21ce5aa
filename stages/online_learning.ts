/**
 * The actor-learner loop of off-policy RL in lanes: act, store, update, evaluate, by a fixed schedule, so that the
 * same seed gives the same bytes, and an interrupted run continues to them.
 */
import { decodeMixedSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import type { Replay, Rows } from "../data/replay.ts";
import type { Learner } from "../engine/learner.ts";
import type { Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import { Stream, stream } from "../random.ts";
import type { EpisodeContext } from "./episode_batch.ts";
import type { Calls } from "./learner_calls.ts";
import type { CurveRow } from "./learning_curve.ts";
import type { Round } from "./online_lanes.ts";

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
   * Whether the lanes go on while the learner works. They then act with the weights from before the call that is under
   * way, by the schedule and not by the clock, so that the bytes stay the same on any machine.
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
  /** Success rate of the deterministic policy under these weights on training states, and the steps that took. */
  evaluate(
    weights: Tensors,
    onlineSteps: number,
  ): Promise<{ readonly success: number; readonly environmentSteps: number }>;
  /** What belongs to the weights of this moment to act as they did, beside them. */
  beside(onlineSteps: number): Tensors;
}

interface Counters {
  steps: number;
  /** Environment steps since the last evaluation, due at `evaluateEvery`. */
  evaluated: number;
  learned: number;
  bestSuccess: number;
  recent: boolean[];
  curve: CurveRow[];
  sums: Record<string, number>;
  updates: number;
  streams: Record<string, number>;
}

const RECENT = 50;

/** Everything of a loop that a checkpoint holds. */
export interface Resumed {
  /** State of the learner. */
  readonly learner: Tensors;
  /** State of the learner at the best evaluation so far; empty before there is one. */
  readonly best: Tensors;
  /** What the lanes acted with. */
  readonly acting: Tensors;
  /** All tensors of the checkpoint under their stored names. */
  readonly tensors: Tensors;
  /** Numbers of the loop. */
  readonly counters: Counters;
}

function group(tensors: Tensors, prefix: string): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).filter(([name]) => name.startsWith(prefix)).map((
      [name, x],
    ) => [name.slice(prefix.length), x]),
  );
}

/** What an earlier attempt left, or undefined. */
export async function resume(context: EpisodeContext): Promise<Resumed | undefined> {
  const bytes = await context.checkpoint.read();
  if (!bytes) return undefined;
  // All are float32 but a replay's columns of bytes, which only the replay reads.
  const { tensors: mixed, metadata } = decodeMixedSafetensors(bytes);
  const tensors = mixed as Tensors;
  const counters: Counters = JSON.parse(metadata.counters!);
  // JSON writes NaN as null.
  const curve = counters.curve.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? NaN]))
  );
  return {
    learner: group(tensors, "learner/"),
    best: group(tensors, "best/"),
    acting: group(tensors, "acting/"),
    tensors,
    counters: { ...counters, curve },
  };
}

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
  const counters: Counters = resumed?.counters ??
    {
      steps: 0,
      evaluated: -1,
      learned: 0,
      bestSuccess: -1,
      recent: [],
      curve: [],
      sums: {},
      updates: 0,
      streams: {},
    };
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

  const evaluate = async () => {
    await finished();
    const { success, environmentSteps } = await method.evaluate(method.learner.state, counters.steps);
    // Selection is paid for like learning.
    context.spend({ environmentSteps });
    if (counters.steps >= Math.min(selectFrom, steps) && success >= counters.bestSuccess) {
      counters.bestSuccess = success;
      best = { ...method.learner.state, ...method.beside(counters.steps) };
    }
    const recent = counters.recent;
    const means = Object.fromEntries(
      Object.entries(counters.sums).map(([name, sum]) => [name, sum / Math.max(1, counters.updates)]),
    );
    counters.curve.push({
      environment_steps: counters.steps,
      gradient_steps: counters.learned,
      success,
      episodes: schedule.evaluationEpisodes,
      training_success: recent.length ? recent.filter(Boolean).length / recent.length : NaN,
      ...means,
    });
    counters.sums = {};
    counters.updates = 0;
    counters.evaluated = counters.steps;
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
    const prefixed = (prefix: string, tensors: Tensors) =>
      Object.fromEntries(Object.entries(tensors).map(([name, x]) => [prefix + name, x]));
    await context.checkpoint.write(encodeSafetensors({
      ...prefixed("learner/", method.learner.state),
      ...prefixed("best/", best),
      ...prefixed("acting/", acting),
      ...method.replay.toTensors("replay/"),
      ...lanes.snapshot(),
    }, { counters: JSON.stringify(counters) }));
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
    if (counters.evaluated < 0) await evaluate();
    while (counters.steps < steps) {
      const due = await play();
      for (let call = 0; call < due; call++) await learn();
      if (counters.steps - counters.evaluated >= evaluateEvery || counters.steps >= steps) await evaluate();
      context.progress({
        done: Math.min(counters.steps, steps),
        total: steps,
        unit: "environment steps",
        success: counters.curve.at(-1)!.success!,
      });
      if (context.interrupted()) {
        await save();
        throw context.interruption();
      }
      if (context.checkpoint.due()) await save();
    }
  } finally {
    // After a failure too nothing may run on: the learner is about to be disposed.
    await underway?.catch(() => {});
  }
  return { weights: best, curve: counters.curve };
}
