/**
 * Success of a stored LeRobot policy on a block of held-out states of one task: the twin of `evaluate_remote.ts`, with the policy
 * in a process of its own. Its noise comes from our streams, so that episodes pair with those of every other policy.
 */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { outputs as stored } from "./evaluation.ts";
import { block, runBlock } from "./evaluation_block.ts";
import { lerobotInputs, openLerobot } from "./lerobot_actor.ts";
import { lerobotActor } from "./lerobot_settings.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy; its tokenizer's folder; statistics that its own must match. */
export const inputs = lerobotInputs;
/** The success table, the episodes without observations, and what the bridge says of the policy. */
export const outputs = { ...stored, policy: "document" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({ lerobot: lerobotActor, ...block });

/** Runs the block's episodes; as many lanes as workers, since no lane's bytes depend on the others. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, count } = context.parameters;
  await using opened = await openLerobot(context, context.parameters);
  const { actor, policy } = opened;
  const world = await openWorld(lerobot.world);
  const size = Math.min(count, context.workers);
  await using pool = await world.pool({ lanes: size, workers: context.workers });
  await runBlock(context, { ...context.parameters, world, pool, size, actor });
  const said = JSON.stringify({ versions: policy.versions, ...policy.description }, null, 2);
  await context.output.policy.write(new TextEncoder().encode(said + "\n"));
}
