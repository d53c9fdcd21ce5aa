/**
 * RIPT's groups: rollouts that start in one state, and their leave-one-out advantages (Tan et al. 2025,
 * arXiv:2505.17016, Algorithm 1, Eq. 5). K rollouts with rewards R give
 *
 *   A_k = R_k - 1 / (K - 1) Σ_{j≠k} R_j,
 *
 * groups whose rewards are all equal are rejected and another context is drawn (dynamic sampling). What is done with the
 * advantages: PPO in `ppo.ts`, as the paper has it; `cfg_flow.ts` and `awr.ts` for policies without a likelihood.
 *
 * As in the public code, a context whose last group always succeeded is left out for a while. Departure: a context is
 * visited at most once a round.
 */
import { z } from "zod";
import type { Stream } from "../random.ts";

/** How groups are collected. */
export const sampling = z.strictObject({
  groups: z.int().min(1).max(10_000).default(24).describe("B / K: contexts kept a round"),
  rollouts: z.int().min(2).max(256).default(8).describe("K: rollouts of each context, at least 2"),
  contexts: z.int().min(1).max(100_000).default(1000).describe(
    "training initial states of each task to draw from",
  ),
  attempts: z.int().min(1).max(100_000).default(400).describe("contexts tried at most a round"),
  dynamic: z.boolean().default(true).describe("rejects groups whose rewards are all equal"),
  skips: z.int().min(0).max(1000).default(3).describe(
    "rounds a context is left out after a group in which all succeeded",
  ),
});
/** Parsed settings of the sampling. */
export type Sampling = z.output<typeof sampling>;

/** An initial state of a task. */
export interface Context {
  /** Name of the task. */
  readonly task: string;
  /** Number of the training initial state. */
  readonly index: number;
}

/** What became of a context's rollouts. */
export interface Group extends Context {
  /** K. */
  readonly rollouts: number;
  /** Rollouts with reward 1. */
  readonly successes: number;
}

/**
 * Leave-one-out advantages A_k of a group's rewards; their sum is 0.
 *
 * @throws {RangeError} when the group has fewer than two rewards
 */
export function advantages(rewards: readonly number[]): number[] {
  const k = rewards.length;
  if (k < 2) throw new RangeError(`Cannot leave one out of ${k} rollouts: a group needs at least 2`);
  const total = rewards.reduce((a, b) => a + b, 0);
  return rewards.map((reward) => reward - (total - reward) / (k - 1));
}

/** Whether a group has contrast: some succeeded and some failed. */
export function isMixed({ rollouts, successes }: Pick<Group, "rollouts" | "successes">): boolean {
  return successes > 0 && successes < rollouts;
}

/** 1 - p^K - (1 - p)^K: the share of mixed groups if every context succeeded with probability p. */
export function expectedMixed(p: number, rollouts: number): number {
  return 1 - p ** rollouts - (1 - p) ** rollouts;
}

/**
 * The contexts of a round in random order, without those that are left out: all their rollouts succeeded in one of the
 * last `skips` rounds.
 *
 * @param earlier groups of earlier rounds, oldest round first
 */
export function drawContexts(
  draws: Stream,
  contexts: readonly Context[],
  { earlier, skips }: { readonly earlier: readonly (readonly Group[])[]; readonly skips: number },
): Context[] {
  const name = ({ task, index }: Context) => `${task}/${index}`;
  const recent = skips === 0 ? [] : earlier.slice(-skips);
  const solved = recent.flat().filter(({ rollouts, successes }) => successes === rollouts);
  const skipped = new Set(solved.map(name));
  return [...draws.permutation(contexts.length)].map((i) => contexts[i]!)
    .filter((context) => !skipped.has(name(context)));
}
