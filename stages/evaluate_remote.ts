/**
 * Success of a policy behind openpi's websocket protocol on a block of held-out states of one task. Its numbers are evidence:
 * the key holds the server's metadata and the label, but what computes the actions is elsewhere and may change unseen.
 */
import { z } from "zod";
import type { StageContext } from "../lab/stage.ts";
import { OpenpiClient, plain } from "../policies/openpi.ts";
import { outputs as stored } from "./evaluation.ts";
import { block, runBlock } from "./evaluation_block.ts";
import { apiKey } from "./openpi_key.ts";
import { RemotePolicy } from "./remote_policy.ts";
import { served } from "./served_policy.ts";
import { openWorld } from "./world.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Nothing: the policy is elsewhere. */
export const inputs = {} as const;
/** The success table, the episodes without observations, and what the server said of itself when it was asked. */
export const outputs = { ...stored, server: "document" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  served,
  ...block,
  noiseShape: z.array(z.int().min(1).max(4096)).max(3)
    .describe('initial noise sent along as "noise", e.g. [10, 32]; empty: the server draws its own'),
});

/** Runs the block's episodes; as many lanes as workers, since no lane's bytes depend on the others. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { served: { world: settings, url, label }, count, execute, noiseShape } = context.parameters;
  const [table, wrist, ...others] = settings.cameras ?? [];
  if (!table || !wrist || others.length > 0) {
    throw new Error(
      "Cannot show a remote policy its world: it takes two cameras, over the table and on the wrist",
    );
  }
  using client = await OpenpiClient.connect({ url, apiKey: apiKey(), note: (line) => context.log(line) });
  const world = await openWorld(settings);
  const size = Math.min(count, context.workers);
  await using pool = await world.pool({ lanes: size, workers: context.workers });
  const cameras = [table.name, wrist.name] as const;
  const actor = new RemotePolicy(client, { cameras, execute, noise: noiseShape, seed: context.seed });
  await runBlock(context, { ...context.parameters, world, pool, size, actor });
  const said = { url, label, metadata: plain(client.metadata) };
  await context.output.server.write(new TextEncoder().encode(JSON.stringify(said, null, 2) + "\n"));
}
