/** What an evaluation table says of one policy, and of two policies from the same initial states. */
import { decodeTable, numbers, strings } from "../data/table.ts";
import type { Stream } from "../random.ts";
import { mean, type PairedCluster, pairedDifference } from "./bootstrap.ts";
import {
  type Interval,
  mcnemar,
  newcombe,
  signFlip,
  type Test,
  wilson,
  wilsonClustered,
} from "./statistics.ts";

/** One episode of an evaluation. Task, initial state and noise seed tell which episodes of two policies belong together. */
export interface Outcome {
  /** Name of the task. */
  readonly task: string;
  /** Number of the initial state. */
  readonly index: number;
  /** Number of the noise stream. */
  readonly noise: number;
  /** Whether the episode reached the goal. */
  readonly success: boolean;
  /** Control steps. */
  readonly length: number;
}

/**
 * Reads an evaluation table: columns task, index, noise, success (0/1) and length, one row an episode.
 *
 * @throws {TypeError} when a column is missing
 * @throws {RangeError} when there is no row, success is not 0 or 1, or an episode occurs twice
 */
export function decodeEvaluation(bytes: Uint8Array, label: string): Outcome[] {
  const table = decodeTable(bytes);
  const [index, noise, success, length] = ["index", "noise", "success", "length"].map((name) =>
    numbers(table, name)
  );
  const outcomes = strings(table, "task").map((task, row): Outcome => {
    if (success![row] !== 0 && success![row] !== 1) {
      throw new RangeError(
        `Cannot read success ${success![row]} in row ${row} of evaluation "${label}": it must be 0 or 1`,
      );
    }
    return {
      task,
      index: index![row]!,
      noise: noise![row]!,
      success: success![row] === 1,
      length: length![row]!,
    };
  });
  if (outcomes.length === 0) {
    throw new RangeError(`Cannot report on evaluation "${label}": it has no episode`);
  }
  const seen = new Set<string>();
  for (const outcome of outcomes) {
    if (seen.has(episodeKey(outcome))) {
      const { task, index, noise } = outcome;
      throw new RangeError(
        `Cannot count evaluation "${label}": initial state ${index} with noise ${noise} of "${task}" is there twice`,
      );
    }
    seen.add(episodeKey(outcome));
  }
  return outcomes;
}

const stateKey = ({ task, index }: Outcome) => JSON.stringify([task, index]);
const episodeKey = ({ task, index, noise }: Outcome) => JSON.stringify([task, index, noise]);

/** The success of one policy. */
export interface Rate {
  /** Episodes that reached the goal. */
  readonly successes: number;
  /** All episodes. */
  readonly episodes: number;
  /** Distinct initial states among the episodes. */
  readonly states: number;
  /** With several episodes an initial state the interval allows for their likeness. */
  readonly interval: Interval;
  /** Mean control steps of all episodes, and of the successful ones (null for none). */
  readonly meanLength: number;
  /** Mean control steps of the successful episodes; null for none. */
  readonly meanLengthOfSuccesses: number | null;
}

/** Summarises one policy's episodes. */
export function rate(outcomes: readonly Outcome[]): Rate {
  const clusters = [...Map.groupBy(outcomes, stateKey).values()].map((members) => ({
    stratum: members[0]!.task,
    successes: members.filter((o) => o.success).length,
    n: members.length,
  }));
  const won = outcomes.filter((o) => o.success);
  return {
    successes: won.length,
    episodes: outcomes.length,
    states: clusters.length,
    interval: clusters.length === outcomes.length
      ? wilson(won.length, outcomes.length)
      : wilsonClustered(clusters),
    meanLength: mean(outcomes.map((o) => o.length)),
    meanLengthOfSuccesses: won.length === 0 ? null : mean(won.map((o) => o.length)),
  };
}

/** Success of one policy minus that of another. */
export interface Uplift {
  /** Difference of success rates, -1 ... 1. */
  readonly interval: Interval;
  /** Valid with several episodes an initial state; null where no episode is shared. */
  readonly test: Test | null;
  /** Takes every pair as independent. */
  readonly mcnemar: Test | null;
  /** Episodes that both policies ran. */
  readonly pairs: number;
  /** Pairs that fail before and succeed after. */
  readonly wins: number;
  /** Pairs that succeed before and fail after. */
  readonly losses: number;
}

/**
 * Compares two policies on the episodes they share (task, initial state and noise seed). If they share none, as two
 * independent samples.
 */
export function uplift(before: readonly Outcome[], after: readonly Outcome[], stream: Stream): Uplift {
  const earlier = new Map(before.map((outcome) => [episodeKey(outcome), outcome]));
  const pairs = after.flatMap((outcome) => {
    const match = earlier.get(episodeKey(outcome));
    return match ? [{ outcome, before: match.success, after: outcome.success }] : [];
  });
  if (pairs.length === 0) {
    const sample = (outcomes: readonly Outcome[]) => ({
      successes: outcomes.filter((o) => o.success).length,
      n: outcomes.length,
    });
    const interval = newcombe(sample(after), sample(before));
    return { interval, test: null, mcnemar: null, pairs: 0, wins: 0, losses: 0 };
  }
  const clusters = [...Map.groupBy(pairs, ({ outcome }) => stateKey(outcome)).values()].map((
    members,
  ): PairedCluster => ({
    stratum: members[0]!.outcome.task,
    before: members.filter((pair) => pair.before).length,
    after: members.filter((pair) => pair.after).length,
    pairs: members.length,
  }));
  const wins = pairs.filter((pair) => pair.after && !pair.before).length;
  const losses = pairs.filter((pair) => pair.before && !pair.after).length;
  const single = mcnemar(wins, losses);
  const clustered = clusters.length < pairs.length;
  return {
    interval: pairedDifference(clusters, { stream }),
    test: clustered ? signFlip(clusters.map((cluster) => cluster.after - cluster.before)) : single,
    mcnemar: single,
    pairs: pairs.length,
    wins,
    losses,
  };
}
