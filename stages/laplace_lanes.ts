/** A Laplace policy in lanes. What it draws is kept as drawn, since its density is told of that; what acts is clipped. */
import type { Artifact } from "../lab/stage.ts";
import { type Act, LaplacePolicy } from "../policies/laplace_policy.ts";
import { ChunkedBase, readPolicy } from "./chunked_base.ts";
import { ACTING_THREADS, type Actor, type Decision, type Lane } from "./rollout.ts";

/** Actions clipped to [-1, 1] as "action", beside the drawn ones as "base". */
export class LaplaceLanes implements Actor {
  readonly #lanes: ChunkedBase;

  /** Wraps lanes whose actions are not clipped; disposed with it. */
  constructor(lanes: ChunkedBase) {
    this.#lanes = lanes;
  }

  begin(lane: Lane): void {
    this.#lanes.begin(lane);
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    return (await this.#lanes.act(lanes)).map((decision) =>
      decision &&
      { action: decision.action.map((x) => Math.max(-1, Math.min(1, x))), row: { base: decision.action } }
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lanes[Symbol.asyncDispose]();
  }
}

/** Opens a stored Laplace policy that draws, or takes the mean of, its distribution. */
export async function openLaplace(
  { weights, normalization, act, lanes, execute, tasks, seed }: {
    weights: Artifact;
    normalization: Artifact;
    act: Act;
    lanes: number;
    execute: number;
    tasks: readonly string[];
    seed: number;
  },
): Promise<LaplaceLanes> {
  const stored = await readPolicy(weights, normalization);
  const policy = await LaplacePolicy.open(stored.weights, stored.normalization, {
    batch: lanes,
    execute,
    act,
    threads: ACTING_THREADS,
  });
  return new LaplaceLanes(new ChunkedBase(policy, seed, tasks));
}
