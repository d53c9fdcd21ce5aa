/** What an interrupted online phase leaves behind, and goes on from. */
import type { Rows } from "../data/replay.ts";
import { decodeMixedSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import type { Tensors } from "../ndarray.ts";
import type { EpisodeContext } from "./episode_batch.ts";
import type { CurveRow } from "./learning_curve.ts";

/** Numbers of a loop. */
export interface Counters {
  /** Environment steps so far. */
  steps: number;
  /** Environment steps at the last evaluation that was begun; -1 before the first. */
  evaluated: number;
  /** Critic updates so far. */
  learned: number;
  /** Success rate of the best evaluation so far; -1 before there is one. */
  bestSuccess: number;
  /** Successes of the last training episodes. */
  recent: boolean[];
  /** A row for each evaluation. */
  curve: CurveRow[];
  /** The row of an evaluation under way, which lacks its success. */
  pending?: CurveRow | undefined;
  /** Sums of the metrics since the last evaluation was begun. */
  sums: Record<string, number>;
  /** Iterations of the learner's program that these sums are over. */
  updates: number;
  /** Counters of the random streams. */
  streams: Record<string, number>;
}

/** A loop that has not begun. */
export function fresh(): Counters {
  return {
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
}

/** Tensors of a loop, each group under names of its own. */
export interface Held {
  /** State of the learner. */
  readonly learner: Tensors;
  /** State of the learner at the best evaluation so far; empty before there is one. */
  readonly best: Tensors;
  /** What the lanes acted with. */
  readonly acting: Tensors;
  /** What the evaluation under way is of; empty where there is none. */
  readonly evaluation: Tensors;
}

/** Everything of a loop that a checkpoint holds. */
export interface Resumed extends Held {
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

/** JSON writes NaN as null. */
const row = (read: Readonly<Record<string, number | null>>): CurveRow =>
  Object.fromEntries(Object.entries(read).map(([name, value]) => [name, value ?? NaN]));

/** What an earlier attempt left, or undefined. */
export async function resume(context: EpisodeContext): Promise<Resumed | undefined> {
  const bytes = await context.checkpoint.read();
  if (!bytes) return undefined;
  // All are float32 but a replay's columns of bytes, which only the replay reads.
  const { tensors: mixed, metadata } = decodeMixedSafetensors(bytes);
  const tensors = mixed as Tensors;
  const counters: Counters = JSON.parse(metadata.counters!);
  return {
    learner: group(tensors, "learner/"),
    best: group(tensors, "best/"),
    acting: group(tensors, "acting/"),
    evaluation: group(tensors, "evaluation/"),
    tensors,
    counters: {
      ...counters,
      curve: counters.curve.map(row),
      pending: counters.pending && row(counters.pending),
    },
  };
}

/** A checkpoint's bytes; `others` are tensors under the names that whoever reads them knows. */
export function checkpointBytes(
  held: Held,
  others: Readonly<Record<string, Rows>>,
  counters: Counters,
): Uint8Array {
  const prefixed = Object.entries(held).flatMap(([prefix, tensors]: [string, Tensors]) =>
    Object.entries(tensors).map(([name, x]) => [`${prefix}/${name}`, x] as const)
  );
  return encodeSafetensors({ ...Object.fromEntries(prefixed), ...others }, {
    counters: JSON.stringify(counters),
  });
}
