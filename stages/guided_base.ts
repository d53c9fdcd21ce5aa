/** A flow policy in lanes, under guidance where it has a condition. */
import type { Artifact } from "../lab/stage.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { CONDITION, guided } from "../policies/guided.ts";
import { ChunkedBase, readPolicy } from "./chunked_base.ts";
import { ACTING_THREADS } from "./rollout.ts";

/** Opens a stored flow policy under guidance `s`; one without a condition acts as it is. */
export async function openGuided(
  { weights, normalization, guidance, lanes, execute, tasks, seed }: {
    weights: Artifact;
    normalization: Artifact;
    guidance: number;
    lanes: number;
    execute: number;
    tasks: readonly string[];
    seed: number;
  },
): Promise<ChunkedBase> {
  const stored = await readPolicy(weights, normalization);
  const sampler = guided(guidance);
  const policy = await FlowPolicy.open(stored.weights, stored.normalization, {
    batch: lanes,
    execute,
    threads: ACTING_THREADS,
    ...(CONDITION in stored.weights ? { sampler } : {}),
  });
  return new ChunkedBase(policy, seed, tasks);
}

/**
 * The guidance that a choice on training states made, or `otherwise` without a choice.
 *
 * @throws {Error} when the document holds no guidance
 */
export async function readGuidance(choice: readonly Artifact[], otherwise: number): Promise<number> {
  const [document] = choice;
  if (!document) return otherwise;
  const { guidance } = JSON.parse(await Deno.readTextFile(document.path));
  if (typeof guidance !== "number") {
    throw new Error(`Cannot read a guidance from ${document.digest}: it must hold a number "guidance"`);
  }
  return guidance;
}
