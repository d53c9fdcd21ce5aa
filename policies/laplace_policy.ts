/** A trained Laplace policy in physical units, opened in the engine. */
import { compile, type Program } from "../engine/program.ts";
import { Session } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import type { NDArray, Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";
import type { ChunkPolicy } from "./chunk_policy.ts";
import type { Sizes } from "./flow.ts";
import { draw, drawNoise, head } from "./laplace.ts";
import { denormalized, normalized, type PolicyNormalization } from "./policy.ts";

/** What a Laplace policy does: draw from its distribution, or take the mean, as RIPT evaluates. */
export type Act = "sample" | "mean";

/**
 * The widths of a policy, read off its weights and normalisation.
 *
 * @throws {RangeError} when they do not fit each other
 */
export function sizesOf(weights: Tensors, { features, actions }: PolicyNormalization): Sizes {
  const output = weights["mean/out/bias"]?.data.length ?? 0, input = weights["mean/0/kernel"]?.shape[0] ?? 0;
  const horizon = output / actions.center.length;
  if (!Number.isInteger(horizon) || horizon < 1 || input !== features.center.length) {
    throw new RangeError(
      `Cannot read the sizes of a Laplace policy with ${input} inputs and ${output} outputs: for ` +
        `${features.center.length} features and actions of ${actions.center.length} they must be as many, and a ` +
        "multiple of the action",
    );
  }
  return { features: features.center.length, horizon, action: actions.center.length };
}

/**
 * The policy as a self-contained ONNX program for `batch` rows: "features" [B, F] and standard Laplace "noise"
 * [B, H, A] (zeros: the mean) → "actions" [B, H, A], not clipped, so that their density can be told.
 *
 * @throws {RangeError} when the weights do not fit the normalisation
 */
export function exportLaplace(weights: Tensors, normalization: PolicyNormalization, batch: number): Program {
  const { features: inputs, horizon, action } = sizesOf(weights, normalization);
  return compile(({ features, noise }) => {
    const constants = Object.fromEntries(Object.entries(weights).map(([name, x]) => [name, constant(x)]));
    const seen = normalized(features!, normalization.features);
    const chunk = draw(head(constants, seen, [batch, horizon, action]), noise!);
    return { actions: denormalized(chunk, normalization.actions) };
  }, { features: [batch, inputs], noise: [batch, horizon, action] });
}

/** A Laplace policy ready to act for a fixed number of rows. Its actions are not clipped. */
export class LaplacePolicy implements ChunkPolicy {
  readonly batch: number;
  readonly sizes: Sizes;
  readonly horizon: number;
  readonly execute: number;
  readonly #session: Session;
  readonly #act: Act;

  private constructor(session: Session, sizes: Sizes, options: { batch: number; execute: number; act: Act }) {
    this.#session = session;
    this.#act = options.act;
    this.sizes = sizes;
    this.batch = options.batch;
    this.horizon = sizes.horizon;
    this.execute = options.execute;
  }

  /**
   * Opens the policy for `batch` rows.
   *
   * @throws {RangeError} when `execute` is not 1 ... H, or the weights do not fit the normalisation
   */
  static async open(
    weights: Tensors,
    normalization: PolicyNormalization,
    options: { batch: number; execute: number; act: Act; threads?: number },
  ): Promise<LaplacePolicy> {
    const { batch, execute, threads } = options;
    const sizes = sizesOf(weights, normalization);
    if (!Number.isInteger(execute) || execute < 1 || execute > sizes.horizon) {
      throw new RangeError(`Cannot execute ${execute} actions of a chunk: it must be 1 ... ${sizes.horizon}`);
    }
    const program = exportLaplace(weights, normalization, batch);
    const session = await Session.create(program, threads === undefined ? {} : { threads });
    return new LaplacePolicy(session, sizes, options);
  }

  /** Standard Laplace noise, or none where the mean acts. */
  drawNoise(draws: Stream, noise: Float32Array): void {
    if (this.#act === "mean") noise.fill(0);
    else drawNoise(draws, noise);
  }

  /** One chunk a row: features [B, F] in physical units, noise [B, H, A] of `drawNoise` → actions [B, H, A]. */
  async sample(features: NDArray, noise: NDArray): Promise<NDArray> {
    const { actions } = await this.#session.run({ features, noise });
    return actions!;
  }

  /** Releases the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
