/**
 * Columns of a LeRobot data set that training with weights reads (python/lerobot_bridge/flow_data.py): `advantage`, `weight`,
 * `is_positive`, and `is_start`, which says where windows start. Computed here from the advantages that episodes carry, so that
 * weights are made in one place whatever trains on them.
 */
import { z } from "zod";
import type { Episode } from "../data/episode.ts";
import type { FrameColumn, Frames } from "../data/lerobot_frames.ts";
import type { Feature } from "../data/lerobot_info.ts";

/** How advantages become weights, and which frames start a window. */
export const weighting = z.strictObject({
  rule: z.enum(["indicator", "advantage", "awr"]).default("indicator").describe(
    "w(A): 1, the advantage cut to 0 ... cap, or min(exp(A inverseTemperature), cap); positive is A > 0 in all",
  ),
  cap: z.number().positive().default(5).describe("largest weight"),
  inverseTemperature: z.number().min(0).default(3).describe("1 / beta of rule awr"),
  stride: z.int().min(1).default(1).describe(
    "steps from the start of a window to that of the next: the executed horizon gives each executed chunk once",
  ),
});

/** Parsed. */
export type Weighting = z.output<typeof weighting>;

const one = (name: string): Feature => ({ dtype: "float32", shape: [1], names: [name] });

/** The features behind the columns. */
export const weightFeatures: Readonly<Record<string, Feature>> = Object.fromEntries(
  ["advantage", "weight", "is_positive", "is_start"].map((name) => [name, one(name)]),
);

/** w(A). */
export function weightOf(advantage: number, { rule, cap, inverseTemperature }: Weighting): number {
  switch (rule) {
    case "indicator":
      return 1;
    case "advantage":
      return Math.min(Math.max(advantage, 0), cap);
    case "awr":
      return Math.min(Math.exp(advantage * inverseTemperature), cap);
  }
}

/** Advantages of single chunks, one a control step of an episode. */
export interface ChunkAdvantages {
  /** Whether a chunk that is learned from starts at the step, [T]. */
  readonly valid: ArrayLike<number>;
  /** Its advantage, [T]. */
  readonly advantage: ArrayLike<number>;
}

/**
 * The columns of an episode. Its advantage is that of all its frames, unless its chunks have their own: then windows start
 * where they are valid.
 *
 * @throws {Error} when it has no advantage
 */
export function weightFrames(
  { task, index, length, tags }: Episode,
  weighting: Weighting,
  chunks?: ChunkAdvantages,
): Frames {
  const advantage = (t: number): number => {
    const own = chunks ? chunks.advantage[t] : tags.advantage;
    if (own !== undefined) return own;
    throw new Error(`Cannot weigh an episode of "${task}" from state ${index}: it has no advantage`);
  };
  const column = (value: (t: number) => number): FrameColumn => ({
    kind: "numbers",
    shape: [1],
    values: Float64Array.from({ length }, (_, t) => value(t)),
  });
  return {
    advantage: column(advantage),
    weight: column((t) => weightOf(advantage(t), weighting)),
    is_positive: column((t) => Number(advantage(t) > 0)),
    is_start: column((t) => Number(t % weighting.stride === 0 && (!chunks || chunks.valid[t] === 1))),
  };
}
