/**
 * Success of a stored LeRobot policy on a block of held-out states of one task: the twin of `evaluate_remote.ts`, with the policy
 * in a process of its own. Its noise comes from our streams, so that episodes pair with those of every other policy.
 */
import { join } from "node:path";
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { LerobotPolicy } from "../policies/lerobot.ts";
import { block, blockOutputs, runBlock } from "./evaluation_block.ts";
import { bridgeVariables, pythonOf } from "./lerobot_install.ts";
import { atMostOne, place } from "./lerobot_run.ts";
import { lerobotActor } from "./lerobot_settings.ts";
import { RemotePolicy } from "./remote_policy.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy; its tokenizer's folder; statistics that its own must match: none leaves them unchecked. */
export const inputs = {
  checkpoint: "checkpoint",
  tokenizer: "checkpoint[]",
  normStats: "document[]",
} as const;
/** The success table, the episodes without observations, and what the bridge says of the policy. */
export const outputs = { ...blockOutputs, policy: "document" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({ lerobot: lerobotActor, ...block });

/** Runs the block's episodes; as many lanes as workers, since no lane's bytes depend on the others. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, parameters: { lerobot, count, execute } } = context;
  const [table, wrist, ...others] = lerobot.world.cameras ?? [];
  if (!table || !wrist || others.length > 0) {
    throw new Error(
      "Cannot show a LeRobot policy its world: it takes two cameras, over the table and on the wrist",
    );
  }
  const folder = context.scratch();
  const tokenizer = atMostOne(input.tokenizer, "tokenizer"), stats = atMostOne(input.normStats, "normStats");
  place(input.checkpoint, join(folder, "policy"));
  if (tokenizer) place(tokenizer, join(folder, "tokenizer"));
  await using policy = await LerobotPolicy.open({ program: pythonOf(), env: bridgeVariables(lerobot) }, {
    path: join(folder, "policy"),
    normStats: stats?.path ?? "policy",
    mismatch: lerobot.mismatch,
    tokenizer: tokenizer && join(folder, "tokenizer"),
    device: lerobot.device,
    guidance: lerobot.guidance ?? undefined,
    steps: lerobot.steps ?? undefined,
  });
  const { horizon, noise_width } = policy.description;
  const world = await openWorld(lerobot.world);
  const size = Math.min(count, context.workers);
  await using pool = await world.pool({ lanes: size, workers: context.workers });
  const actor = new RemotePolicy(policy, {
    cameras: [table.name, wrist.name],
    execute,
    noise: noise_width === 0 ? [] : [horizon, noise_width],
    seed: context.seed,
  });
  await runBlock(context, { ...context.parameters, world, pool, size, actor });
  const said = JSON.stringify({ versions: policy.versions, ...policy.description }, null, 2);
  await context.output.policy.write(new TextEncoder().encode(said + "\n"));
}
