/** The best of N of a stored policy under stored critics, opened to act: what stages that act with it share. */
import { z } from "zod";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { Artifact } from "../lab/stage.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { scoring } from "../rl/best_of_n.ts";
import { BestOfN, ChunkScorer } from "./best_of_n_lanes.ts";
import { readScale } from "./chunk_data.ts";
import { readPolicy } from "./chunked_base.ts";
import { ACTING_THREADS } from "./rollout.ts";

/** The policy that proposes and its units; the critics on chunks and the scale of their states. */
export const inputs = {
  weights: "weights",
  normalization: "normalization",
  critic: "weights",
  scale: "normalization",
} as const;

/** How it acts. */
export const acting = {
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the policy's one-hot input"),
  execute: z.int().min(1).max(64).describe("actions executed of each chunk"),
  lanes: z.int().min(1).max(256).describe("episodes stepped together"),
  candidates: z.int().min(1).max(1024).describe("N, chunks to choose from; 1 is the policy itself"),
  scoring,
} as const;

/** Opens policy and critics. */
export async function openBestOfN(
  input: Readonly<Record<keyof typeof inputs, Artifact>>,
  { tasks, execute, lanes, candidates, scoring: how, seed }:
    & z.output<z.ZodObject<typeof acting>>
    & { readonly seed: number },
): Promise<{ readonly actor: BestOfN } & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const stored = await readPolicy(input.weights, input.normalization);
  const policy = opened.use(
    await FlowPolicy.open(stored.weights, stored.normalization, {
      batch: lanes * candidates,
      execute,
      threads: ACTING_THREADS,
    }),
  );
  const { tensors: weights } = decodeSafetensors(await Deno.readFile(input.critic.path));
  const scale = await readScale(input.scale);
  const scorer = opened.use(await ChunkScorer.open({ weights, scale, lanes, candidates, how }));
  const actor = new BestOfN(policy, scorer, { seed, tasks });
  const held = opened.move();
  return { actor, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
