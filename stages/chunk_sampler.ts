/** A policy of chunks that is still learning: its weights are inputs of its program, not part of it. */
import type { Program } from "../engine/program.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import type { NDArray, Tensors } from "../ndarray.ts";
import type { ChunkPolicy } from "../policies/chunk_policy.ts";
import { ACTING_THREADS } from "./rollout.ts";

/** Draws chunks by a program of weights, "features" [R, F] and "noise" [R, h, A] → "actions" [R, h, A]. */
export class ChunkSampler implements ChunkPolicy {
  readonly #session: Session;
  readonly #names: readonly string[];
  readonly #shape: readonly number[];
  /** Numbers a row sees. */
  readonly sizes: { readonly features: number };
  #weights: Tensors = {};

  private constructor(session: Session, { inputs, outputs }: Program, weights: Tensors) {
    this.#session = session;
    this.#names = Object.keys(inputs).filter((name) => name !== "features" && name !== "noise");
    this.#shape = outputs.actions!;
    this.sizes = { features: inputs.features![1]! };
    this.weights = weights;
  }

  /**
   * Opens the policy with the weights of a learner state.
   *
   * @throws {Error} when the state lacks one of them
   */
  static async open(
    program: Program,
    weights: Tensors,
    options: SessionOptions = { threads: ACTING_THREADS },
  ): Promise<ChunkSampler> {
    const session = await Session.create(program, options);
    return new ChunkSampler(session, program, weights);
  }

  /** Acts with newer weights from now on. */
  set weights(weights: Tensors) {
    this.#weights = Object.fromEntries(this.#names.map((name) => {
      const x = weights[name];
      if (!x) throw new Error(`Cannot draw chunks without weight "${name}": the learner state must hold it`);
      return [name, x];
    }));
  }

  /** Rows R of every call. */
  get batch(): number {
    return this.#shape[0]!;
  }

  /** Actions h of a chunk. */
  get horizon(): number {
    return this.#shape[1]!;
  }

  /** All actions of a chunk are executed. */
  get execute(): number {
    return this.horizon;
  }

  /** One chunk a row: features [R, F], noise [R, h, A] ~ N(0, I) → actions [R, h, A]. */
  async sample(features: NDArray, noise: NDArray): Promise<NDArray> {
    const { actions } = await this.#session.run({ ...this.#weights, features, noise });
    return actions!;
  }

  /** Disposes the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
