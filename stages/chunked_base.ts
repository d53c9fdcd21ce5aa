/** The base policy in lanes: a flow policy proposes a chunk of actions, of which the first few run open loop. */
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { SessionOptions } from "../engine/session.ts";
import type { Artifact } from "../lab/stage.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import type { ChunkPolicy } from "../policies/chunk_policy.ts";
import { features } from "../policies/features.ts";
import { FlowPolicy, type PolicyNormalization } from "../policies/policy.ts";
import { stream } from "../random.ts";
import { OpenLoop } from "./open_loop.ts";
import { ACTING_THREADS, type Lane } from "./rollout.ts";

const ACTION = 7;

/**
 * The frozen base policy over all lanes. The initial noise of a chunk is a function of the episode's key and the
 * number of the query, never of lanes or of what ran before.
 */
export class ChunkedBase extends OpenLoop {
  readonly #policy: ChunkPolicy;
  readonly #seed: number;
  readonly #tasks: readonly string[];

  /**
   * Starts all lanes without a chunk.
   *
   * @param policy policy opened for a batch of all lanes; disposed with the base
   * @param seed seed of the noise streams
   * @param tasks task names in the order of the policy's one-hot input
   */
  constructor(policy: ChunkPolicy, seed: number, tasks: readonly string[]) {
    super({ lanes: policy.batch, execute: policy.execute });
    this.#policy = policy;
    this.#seed = seed;
    this.#tasks = tasks;
  }

  /** Asks for a new chunk in every occupied lane whose chunk is used up, all in one call. */
  override async refresh(lanes: readonly (Lane | undefined)[]): Promise<void> {
    const due = lanes.filter((lane): lane is Lane => lane !== undefined && this.due(lane.index));
    if (due.length === 0) return;
    const { batch, horizon, sizes: { features: inputs } } = this.#policy;
    const observed = ndarray([batch, inputs]), noise = ndarray([batch, horizon, ACTION]);
    for (const { index, plan: { task, state, noise: number }, observation } of due) {
      const { queries } = this.cursor(index);
      observed.data.set(features(observation, task, this.#tasks), index * inputs);
      const draws = stream(this.#seed, "chunk", task.name, state.split, state.index, number, queries);
      const rows = noise.data.subarray(index * horizon * ACTION, (index + 1) * horizon * ACTION);
      if (this.#policy.drawNoise) this.#policy.drawNoise(draws, rows);
      else draws.fillNormal(rows);
    }
    const chunks: NDArray = await this.#policy.sample(observed, noise);
    for (const { index } of due) {
      this.renew(index, chunks.data.slice(index * horizon * ACTION, (index + 1) * horizon * ACTION));
    }
  }

  /** Disposes the policy. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#policy[Symbol.asyncDispose]();
  }
}

/** Weights "velocity/..." with the normalisation of features and actions they were trained under. */
export interface StoredPolicy {
  /** Weights by name, "velocity/...". */
  readonly weights: Tensors;
  /** Units of features and actions. */
  readonly normalization: PolicyNormalization;
}

/**
 * Reads a policy from its two artifacts.
 *
 * @throws {Error} when the normalization file does not name `features` and `actions`
 */
export async function readPolicy(weights: Artifact, normalization: Artifact): Promise<StoredPolicy> {
  const { tensors } = decodeSafetensors(await Deno.readFile(weights.path));
  const { features, actions } = decodeNormalizations(await Deno.readFile(normalization.path));
  if (!features || !actions) {
    throw new Error(
      `Cannot open policy ${weights.digest}: its normalization must name "features" and "actions"`,
    );
  }
  return { weights: tensors, normalization: { features, actions } };
}

/** Opens a stored flow policy in `lanes` lanes; `execute` actions of each chunk run before the next is drawn. */
export async function openBase(
  { weights, normalization, lanes, execute, tasks, seed, session = { threads: ACTING_THREADS } }: {
    weights: Artifact;
    normalization: Artifact;
    lanes: number;
    execute: number;
    tasks: readonly string[];
    seed: number;
    session?: SessionOptions;
  },
): Promise<ChunkedBase> {
  const stored = await readPolicy(weights, normalization);
  const policy = await FlowPolicy.open(stored.weights, stored.normalization, {
    ...session,
    batch: lanes,
    execute,
  });
  return new ChunkedBase(policy, seed, tasks);
}
