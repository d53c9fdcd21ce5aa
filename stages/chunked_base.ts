/** The base policy in lanes: a flow policy proposes a chunk of actions, of which the first few run open loop. */
import { decodeNormalizations } from "../data/normalization.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import type { Artifact } from "../lab/stage.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import type { ChunkPolicy } from "../policies/chunk_policy.ts";
import { features } from "../policies/features.ts";
import { FlowPolicy, type PolicyNormalization } from "../policies/policy.ts";
import { stream } from "../random.ts";
import { ACTING_THREADS, type Actor, type Decision, type Lane } from "./rollout.ts";

const ACTION = 7;

/** Where a lane stands in its chunk; enough to continue an interrupted episode. */
export interface ChunkCursor {
  /** The chunk in use, [horizon, 7]. */
  chunk: Float32Array;
  /** Actions of it already executed. */
  used: number;
  /** Chunks asked for in this episode. */
  queries: number;
}

/**
 * The frozen base policy over all lanes. The initial noise of a chunk is a function of the episode's key and the
 * number of the query, never of lanes or of what ran before.
 */
export class ChunkedBase implements Actor {
  readonly #policy: ChunkPolicy;
  readonly #seed: number;
  readonly #tasks: readonly string[];
  readonly #cursors: ChunkCursor[];

  /**
   * Starts all lanes without a chunk.
   *
   * @param policy policy opened for a batch of all lanes; disposed with the base
   * @param seed seed of the noise streams
   * @param tasks task names in the order of the policy's one-hot input
   */
  constructor(policy: ChunkPolicy, seed: number, tasks: readonly string[]) {
    this.#policy = policy;
    this.#seed = seed;
    this.#tasks = tasks;
    this.#cursors = Array.from({ length: policy.batch }, () => this.#fresh());
  }

  #fresh(): ChunkCursor {
    return { chunk: new Float32Array(0), used: this.#policy.execute, queries: 0 };
  }

  begin(lane: Lane): void {
    this.#cursors[lane.index] = this.#fresh();
  }

  /** The lane's place in its chunk, shared with the caller: write to it to restore a lane. */
  cursor(lane: number): ChunkCursor {
    return this.#cursors[lane]!;
  }

  /** Asks for a new chunk in every occupied lane whose chunk is used up, all in one call. */
  async refresh(lanes: readonly (Lane | undefined)[]): Promise<void> {
    const due = lanes.filter((lane): lane is Lane =>
      lane !== undefined && this.cursor(lane.index).used >= this.#policy.execute
    );
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
      const cursor = this.cursor(index);
      cursor.chunk = chunks.data.slice(index * horizon * ACTION, (index + 1) * horizon * ACTION);
      cursor.used = 0;
      cursor.queries++;
    }
  }

  /** The base action (7) of a lane at this control step; valid after `refresh`. */
  action(lane: number): Float32Array {
    const { chunk, used } = this.cursor(lane);
    return chunk.subarray(used * ACTION, (used + 1) * ACTION);
  }

  /** Position within the executed part of the chunk, in [0, 1). */
  phase(lane: number): number {
    return this.cursor(lane).used / this.#policy.execute;
  }

  /** Moves a lane on by one control step. */
  advance(lane: number): void {
    this.cursor(lane).used++;
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    await this.refresh(lanes);
    return lanes.map((lane) => {
      if (!lane) return undefined;
      const action = this.action(lane.index).slice();
      this.advance(lane.index);
      return { action, row: { base: action } };
    });
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
  { weights, normalization, lanes, execute, tasks, seed }: {
    weights: Artifact;
    normalization: Artifact;
    lanes: number;
    execute: number;
    tasks: readonly string[];
    seed: number;
  },
): Promise<ChunkedBase> {
  const stored = await readPolicy(weights, normalization);
  const policy = await FlowPolicy.open(stored.weights, stored.normalization, {
    batch: lanes,
    execute,
    threads: ACTING_THREADS,
  });
  return new ChunkedBase(policy, seed, tasks);
}
