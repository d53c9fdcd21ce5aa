/** A chunk policy that is steered: at every query a noise w is chosen, and it replaces the policy's initial noise. */
import type { Normalization } from "../data/normalization.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { part } from "../nn/weights.ts";
import type { ChunkPolicy } from "../policies/chunk_policy.ts";
import { features } from "../policies/features.ts";
import { stream } from "../random.ts";
import { type ActorForm, actorProgram } from "../rl/noise_actor.ts";
import { noiseRows, spread, type SteeringNoise } from "../rl/steering_noise.ts";
import { learnerState } from "./residual_actor.ts";
import { ACTING_THREADS, type Actor, type Decision, type Lane } from "./rollout.ts";

const ACTION = 7;

/** Chooses w [lanes, W] from what the learner sees in each lane and draws from N(0, I) [lanes, W]. */
export interface Steering {
  /** What the learner sees in a lane, as columns of its replay: "state" [S]. */
  observe(lane: Lane): Record<string, Float32Array>;
  /** w of all lanes; rows of lanes that ask for none are meaningless. */
  choose(observed: readonly (Record<string, Float32Array> | undefined)[], draws: NDArray): Promise<NDArray>;
}

/** No learner: w is the draw itself, N(0, I) in the chosen shape; or w = 0. */
export function unsteered(w: "drawn" | "zero"): Steering {
  return {
    observe: () => ({}),
    choose: (_, draws) => Promise.resolve(w === "drawn" ? draws : ndarray(draws.shape)),
  };
}

/** The noise actor over lanes: deterministic w = m tanh μ, or sampled ones. */
export class NoiseActor implements Steering {
  readonly #session: Session;
  readonly #lanes: number;
  readonly #scale: Normalization;
  readonly #width: number;
  #weights: Tensors;
  /** Whether w is sampled; otherwise it is deterministic. */
  sampled: boolean;

  private constructor(
    session: Session,
    { lanes, scale, width, weights, sampled }: {
      lanes: number;
      scale: Normalization;
      width: number;
      weights: Tensors;
      sampled: boolean;
    },
  ) {
    this.#session = session;
    this.#lanes = lanes;
    this.#scale = scale;
    this.#width = width;
    this.#weights = part(weights, "actor");
    this.sampled = sampled;
  }

  /** Opens the actor among `weights` for `lanes` rows and w of `width` numbers; `scale` normalises its states. */
  static async open(
    { weights, scale, lanes, width, form, sampled, session: options = { threads: ACTING_THREADS } }: {
      weights: Tensors;
      scale: Normalization;
      lanes: number;
      width: number;
      form: ActorForm;
      sampled: boolean;
      session?: SessionOptions;
    },
  ): Promise<NoiseActor> {
    const program = actorProgram(lanes, { state: scale.center.length, noise: width }, form);
    const session = await Session.create(program, options);
    return new NoiseActor(session, { lanes, scale, width, weights, sampled });
  }

  /** Acts with newer weights from now on. */
  set weights(weights: Tensors) {
    this.#weights = part(weights, "actor");
  }

  observe(lane: Lane): { state: Float32Array } {
    return { state: learnerState(lane, 0, this.#scale) };
  }

  async choose(
    observed: readonly (Record<string, Float32Array> | undefined)[],
    draws: NDArray,
  ): Promise<NDArray> {
    const width = this.#scale.center.length;
    const state = ndarray([this.#lanes, width]);
    observed.forEach((columns, lane) => state.data.set(columns?.state ?? [], lane * width));
    const noise = this.sampled ? draws : ndarray([this.#lanes, this.#width]);
    const { w } = await this.#session.run({ ...this.#weights, state, noise });
    return w!;
  }

  /** Disposes the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/** A lane's chunk, and the query that it came from. */
export interface Query {
  /** What the learner saw. */
  readonly observed: Record<string, Float32Array>;
  /** What the policy saw, [F]. */
  readonly features: Float32Array;
  /** w, [W]. */
  readonly w: Float32Array;
  /** The chunk, [H, A]. */
  readonly chunk: Float32Array;
}

interface Cursor {
  query: Query | undefined;
  used: number;
  queries: number;
}

/** How a policy is steered. */
export interface SteeredOptions {
  /** Shape of w. */
  readonly noise: SteeringNoise;
  /** Seed of the draws. */
  readonly seed: number;
  /** Task names in the order of the policy's one-hot input. */
  readonly tasks: readonly string[];
  /** Chooses w. */
  readonly steering: Steering;
}

/**
 * A frozen policy over all lanes, steered at every query. The draws of a query are a function of the episode's key and
 * the number of the query, those of `ChunkedBase`: drawn noise in full shape gives the base's chunks bit for bit.
 */
export class SteeredBase implements Actor {
  readonly #policy: ChunkPolicy;
  readonly #options: SteeredOptions;
  readonly #rows: number;
  readonly #cursors: Cursor[];
  /** Chooses w; replace it to steer otherwise from the next query on. */
  steering: Steering;

  /** Starts all lanes without a chunk. Does not take over the policy. */
  constructor(policy: ChunkPolicy, options: SteeredOptions) {
    this.#policy = policy;
    this.#options = options;
    this.#rows = noiseRows(options.noise, policy.horizon);
    this.steering = options.steering;
    this.#cursors = Array.from({ length: policy.batch }, () => this.#fresh());
  }

  #fresh(): Cursor {
    return { query: undefined, used: 0, queries: 0 };
  }

  /** Numbers of an action. */
  get actionSize(): number {
    return ACTION;
  }

  /** Numbers of w. */
  get width(): number {
    return this.#rows * ACTION;
  }

  /** Actions of a chunk that are executed before the next query. */
  get execute(): number {
    return this.#policy.execute;
  }

  begin(lane: Lane): void {
    this.#cursors[lane.index] = this.#fresh();
  }

  /** Whether a lane has no action left, so that `refresh` would ask for a new chunk. */
  due(lane: number): boolean {
    const { query, used } = this.#cursors[lane]!;
    return query === undefined || used >= this.#policy.execute;
  }

  /** The query that a lane's actions come from; undefined before the first. */
  query(lane: number): Query | undefined {
    return this.#cursors[lane]!.query;
  }

  /** Actions of the lane's chunk that were executed. */
  used(lane: number): number {
    return this.#cursors[lane]!.used;
  }

  /** Queries of the lane's episode. */
  queries(lane: number): number {
    return this.#cursors[lane]!.queries;
  }

  /** Puts a lane back to where it stood in an interrupted episode. */
  restore(lane: number, cursor: { query: Query; used: number; queries: number }): void {
    this.#cursors[lane] = { ...cursor };
  }

  /** What the policy sees in a lane, [F]. */
  features(lane: Lane): Float32Array {
    return features(lane.observation, lane.plan.task, this.#options.tasks);
  }

  /** Asks for a new chunk in every occupied lane whose chunk is used up, all in one call. */
  async refresh(lanes: readonly (Lane | undefined)[]): Promise<void> {
    const due = lanes.filter((lane): lane is Lane => lane !== undefined && this.due(lane.index));
    if (due.length === 0) return;
    const { batch, horizon, sizes: { features: inputs } } = this.#policy;
    const draws = ndarray([batch, this.width]);
    const observed: (Record<string, Float32Array> | undefined)[] = Array(batch).fill(undefined);
    for (const lane of due) {
      const { index, plan: { task, state, noise: number } } = lane;
      const { queries } = this.#cursors[index]!;
      stream(this.#options.seed, "chunk", task.name, state.split, state.index, number, queries)
        .fillNormal(draws.data.subarray(index * this.width, (index + 1) * this.width));
      observed[index] = this.steering.observe(lane);
    }
    const w = await this.steering.choose(observed, draws);
    const seen = ndarray([batch, inputs]), noise = ndarray([batch, horizon, ACTION]);
    const wide = horizon * ACTION;
    const rowOf = (lane: number) => w.data.slice(lane * this.width, (lane + 1) * this.width);
    for (const lane of due) {
      seen.data.set(this.features(lane), lane.index * inputs);
      const out = noise.data.subarray(lane.index * wide, (lane.index + 1) * wide);
      spread(rowOf(lane.index), this.#rows, horizon, out);
    }
    const chunks = await this.#policy.sample(seen, noise);
    for (const { index } of due) {
      const cursor = this.#cursors[index]!;
      cursor.query = {
        observed: observed[index]!,
        features: seen.data.slice(index * inputs, (index + 1) * inputs),
        w: rowOf(index),
        chunk: chunks.data.slice(index * wide, (index + 1) * wide),
      };
      cursor.used = 0;
      cursor.queries++;
    }
  }

  /** The next action [7] of a lane, which moves on by one; valid after `refresh`. */
  next(lane: number): Float32Array {
    const cursor = this.#cursors[lane]!;
    const from = cursor.used++ * ACTION;
    return cursor.query!.chunk.slice(from, from + ACTION);
  }

  async act(lanes: readonly (Lane | undefined)[]): Promise<readonly (Decision | undefined)[]> {
    await this.refresh(lanes);
    return lanes.map((lane) => lane && { action: this.next(lane.index) });
  }
}
