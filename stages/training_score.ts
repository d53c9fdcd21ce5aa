/** Success of an actor on training states: by such a score something is chosen, and no held-out state is touched. */
import { z } from "zod";
import { encodeTable } from "../data/table.ts";
import type { StageContext } from "../lab/stage.ts";
import type { EpisodeContext } from "./episode_batch.ts";
import { runPlans } from "./evaluation.ts";
import type { Plan } from "./recording.ts";
import type { Actor } from "./rollout.ts";
import { openWorld, type WorldSettings } from "./world.ts";

/** One row: what was scored, success rate, episodes. */
export const outputs = { score: "metrics" } as const;

/** Which training states. */
export const scored = {
  first: z.int().min(0).describe("first training initial state used; the same for all that are compared"),
  states: z.int().min(1).max(10_000).describe("training initial states of each task"),
} as const;

/** What scoring needs of a stage's context. */
export interface ScoreContext extends EpisodeContext {
  readonly output: StageContext<Record<string, never>, typeof outputs, unknown>["output"];
  readonly parameters: {
    readonly world: WorldSettings;
    readonly tasks: readonly string[];
    readonly lanes: number;
    readonly first: number;
    readonly states: number;
  };
  readonly workers: number;
}

/** Runs every state once and writes the row; `what` is its first column. */
export async function scoreActor(
  context: ScoreContext,
  actor: Actor,
  what: Readonly<Record<string, number>>,
): Promise<void> {
  const { parameters: { tasks, lanes, first, states }, workers } = context;
  const world = await openWorld(context.parameters.world);
  await using pool = await world.pool({ lanes, workers });
  const plans = tasks.flatMap((name) =>
    Array.from({ length: states }, (_, i): Plan => ({
      task: world.task(name),
      state: { split: "training", index: first + i },
      noise: 0,
    }))
  );
  const tried = await runPlans(context, { pool, size: lanes, actor, plans });
  await context.output.score.write(encodeTable({
    ...Object.fromEntries(Object.entries(what).map(([name, value]) => [name, Float64Array.of(value)])),
    success: Float64Array.of(tried.filter(({ success }) => success).length / tried.length),
    episodes: Int32Array.of(tried.length),
  }));
}
