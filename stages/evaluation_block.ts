/**
 * A block of an evaluation: some states of one task under one noise stream. Blocks are the unit in which evaluations are
 * stored: one that grows by tasks, states or noise streams takes the blocks it shares with a smaller one from the store.
 */
import { z } from "zod";
import { evaluationStates, type Lanes } from "../envs/environment.ts";
import type { StageContext } from "../lab/stage.ts";
import { type outputs, runPlans, writeEvaluation } from "./evaluation.ts";
import type { Plan } from "./recording.ts";
import type { Actor } from "./rollout.ts";
import type { World } from "./world.ts";

/** Which block, and how chunks are executed. */
export const block = {
  task: z.string().describe("name of the task"),
  first: z.int().min(0).max(evaluationStates - 1).describe("first fixed evaluation state of the block"),
  count: z.int().min(1).max(evaluationStates).describe("states of the block"),
  noise: z.int().min(0).max(99).describe("number of the noise stream"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk before the policy is asked again"),
} as const;

/** A context of a stage that runs a block. */
type BlockContext = Omit<
  StageContext<Record<string, never>, typeof outputs, unknown>,
  "input" | "parameters"
>;

/** Runs a block and writes its outputs. Every finished episode is checkpointed: none is run again after an interruption. */
export async function runBlock(
  context: BlockContext,
  { world, pool, size, actor, task: name, first, count, noise }: {
    readonly world: World;
    readonly pool: Lanes;
    readonly size: number;
    readonly actor: Actor;
    readonly task: string;
    readonly first: number;
    readonly count: number;
    readonly noise: number;
  },
): Promise<void> {
  const task = world.task(name);
  const plans = Array.from(
    { length: count },
    (_, i): Plan => ({ task, state: { split: "evaluation", index: first + i }, noise }),
  );
  const { checkpoint } = context;
  const always = {
    read: () => checkpoint.read(),
    write: (bytes: Uint8Array) => checkpoint.write(bytes),
    due: () => true,
  };
  const tried = await runPlans({ ...context, checkpoint: always }, { pool, size, actor, plans });
  await writeEvaluation(context.output, tried);
}
