/** The best of N in lanes: a frozen chunk policy proposes, critics on chunks choose, the first actions run open loop. */
import type { Normalization } from "../data/normalization.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { part, shapesOf } from "../nn/weights.ts";
import type { ChunkPolicy } from "../policies/chunk_policy.ts";
import { features } from "../policies/features.ts";
import { stream } from "../random.ts";
import { argmax, scoreProgram, type Scoring } from "../rl/best_of_n.ts";
import { chunkState } from "./chunk_data.ts";
import { OpenLoop } from "./open_loop.ts";
import { ACTING_THREADS, type Lane } from "./rollout.ts";

const ACTION = 7;

/** Critics on chunks that score `candidates` proposals in each of `lanes` lanes. */
export class ChunkScorer {
  readonly #session: Session;
  readonly #how: Scoring;
  #weights: Tensors;
  /** Units of the states they see. */
  readonly scale: Normalization;
  /** h, actions of a chunk that they see. */
  readonly horizon: number;
  /** Lanes. */
  readonly lanes: number;
  /** Proposals a lane. */
  readonly candidates: number;

  private constructor(
    session: Session,
    options: { weights: Tensors; scale: Normalization; lanes: number; candidates: number; how: Scoring },
    horizon: number,
  ) {
    this.#session = session;
    this.#how = options.how;
    this.#weights = part(options.weights, options.how.critic);
    this.scale = options.scale;
    this.lanes = options.lanes;
    this.candidates = options.candidates;
    this.horizon = horizon;
  }

  /**
   * Opens the critics of a learner state.
   *
   * @throws {Error} when the weights hold none, or do not fit the scale
   */
  static async open(
    options: {
      readonly weights: Tensors;
      readonly scale: Normalization;
      readonly lanes: number;
      readonly candidates: number;
      readonly how: Scoring;
      readonly session?: SessionOptions;
    },
  ): Promise<ChunkScorer> {
    const { weights, scale, lanes, candidates, how } = options;
    const input = weights[`${how.critic}/0/kernel`]?.shape.at(-2) ?? 0, state = scale.center.length;
    const horizon = (input - state) / ACTION;
    if (!Number.isInteger(horizon) || horizon < 1) {
      throw new Error(
        `Cannot score chunks with critics "${how.critic}" of ${input} inputs: they must be the state's ${state} and ` +
          `a multiple of ${ACTION}`,
      );
    }
    const sizes = { batch: lanes, candidates, state, chunk: horizon * ACTION };
    const { session: opened = { threads: ACTING_THREADS } } = options;
    const session = await Session.create(scoreProgram(shapesOf(weights), sizes, how), opened);
    return new ChunkScorer(session, options, horizon);
  }

  /** Scores with newer weights from now on. */
  set weights(weights: Tensors) {
    this.#weights = part(weights, this.#how.critic);
  }

  /** Scores [lanes, candidates] of states [lanes, S] and chunks [lanes · candidates, h · A]. */
  async scores(state: NDArray, chunks: NDArray): Promise<NDArray> {
    const { scores } = await this.#session.run({ ...this.#weights, state, chunks });
    return scores!;
  }

  /** Disposes the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/**
 * A frozen policy over all lanes, N proposals at every query. The noise of a query is a function of the episode's key and
 * the number of the query, and that of its first proposal is the one of `ChunkedBase`: the best of 1 is the base bit
 * for bit.
 */
export class BestOfN extends OpenLoop {
  readonly #policy: ChunkPolicy;
  readonly #scorer: ChunkScorer;
  readonly #seed: number;
  readonly #tasks: readonly string[];

  /**
   * Starts all lanes without a chunk. Disposes neither policy nor scorer.
   *
   * @param policy opened for a row for each proposal of each lane: row lane · N + i
   * @throws {RangeError} when the policy has other rows, or chunks shorter than the critics see
   */
  constructor(
    policy: ChunkPolicy,
    scorer: ChunkScorer,
    { seed, tasks }: { readonly seed: number; readonly tasks: readonly string[] },
  ) {
    const { lanes, candidates, horizon } = scorer;
    super({ lanes, execute: policy.execute });
    if (policy.batch !== lanes * candidates) {
      throw new RangeError(
        `Cannot draw ${candidates} proposals in ${lanes} lanes from a policy of ${policy.batch} rows: ` +
          `it must be opened for ${lanes * candidates}`,
      );
    }
    if (policy.horizon < horizon) {
      throw new RangeError(
        `Cannot score ${horizon} actions of chunks of ${policy.horizon}: critics must see as many or fewer`,
      );
    }
    this.#policy = policy;
    this.#scorer = scorer;
    this.#seed = seed;
    this.#tasks = tasks;
  }

  /** Chooses a new chunk in every occupied lane whose chunk is used up, all in one call. */
  override async refresh(lanes: readonly (Lane | undefined)[]): Promise<void> {
    const due = lanes.filter((lane): lane is Lane => lane !== undefined && this.due(lane.index));
    if (due.length === 0) return;
    const { horizon, sizes: { features: inputs } } = this.#policy;
    const { candidates, scale, horizon: seen } = this.#scorer;
    const rows = this.#policy.batch, wide = horizon * ACTION, scored = seen * ACTION;
    const observed = ndarray([rows, inputs]), noise = ndarray([rows, horizon, ACTION]);
    const states = ndarray([this.#scorer.lanes, scale.center.length]);
    for (const lane of due) {
      const { index, plan: { task, state, noise: number }, observation } = lane;
      const row = features(observation, task, this.#tasks);
      const draws = stream(
        this.#seed,
        "chunk",
        task.name,
        state.split,
        state.index,
        number,
        this.cursor(index).queries,
      );
      for (let i = index * candidates; i < (index + 1) * candidates; i++) {
        observed.data.set(row, i * inputs);
        const own = noise.data.subarray(i * wide, (i + 1) * wide);
        if (this.#policy.drawNoise) this.#policy.drawNoise(draws, own);
        else draws.fillNormal(own);
      }
      states.data.set(chunkState(lane, this.#tasks, scale), index * scale.center.length);
    }
    const { data } = await this.#policy.sample(observed, noise);
    const heads = ndarray([rows, scored]);
    for (let i = 0; i < rows; i++) heads.data.set(data.subarray(i * wide, i * wide + scored), i * scored);
    const scores = await this.#scorer.scores(states, heads);
    for (const { index } of due) {
      const from = index * candidates;
      const best = from + argmax(scores.data.subarray(from, from + candidates));
      this.renew(index, data.slice(best * wide, (best + 1) * wide));
    }
  }
}
