/** A trained flow policy in physical units: as an ONNX program, and opened in the engine. */
import { add, clipByValue, div, mul, sub, type Tensor } from "@tensorflow/tfjs-core";
import type { Normalization } from "../data/normalization.ts";
import { compile, type Program } from "../engine/program.ts";
import { Session, type SessionOptions } from "../engine/session.ts";
import { constant } from "../engine/trace.ts";
import type { NDArray, Tensors } from "../ndarray.ts";
import { sample, type Sizes } from "./flow.ts";
import { isTransformer } from "./flow_transformer.ts";

/** Units of what a policy sees and does, fitted on its training data. */
export interface PolicyNormalization {
  /** Of the features [F]. */
  readonly features: Normalization;
  /** Of one action [A]. */
  readonly actions: Normalization;
}

/** Euler steps from noise to chunk, as in pi0. */
const EULER_STEPS = 10;

/** How chunks are drawn: weights, normalised features [B, F], noise [B, H, A] and Euler steps → normalised chunks. */
export type Sampler = typeof sample;

/**
 * The policy as a self-contained ONNX program for `batch` rows, weights and units baked in: "features" [B, F] and
 * "noise" [B, H, A] ~ N(0, I) → "actions" [B, H, A] in [-1, 1].
 *
 * @param weights "velocity/…", see `acting` in flow.ts
 * @param sampler the plain one unless said
 * @throws {RangeError} when the weights do not fit the normalisation
 */
export function exportPolicy(
  weights: Tensors,
  normalization: PolicyNormalization,
  batch: number,
  sampler: Sampler = sample,
): Program {
  const sizes = sizesOf(weights, normalization);
  return compile(({ features, noise }) => {
    return { actions: denoise(weights, normalization, features!, noise!, sampler) };
  }, { features: [batch, sizes.features], noise: [batch, sizes.horizon, sizes.action] });
}

/**
 * A chunk in physical units as a traced function of features [B, F] and initial noise [B, H, A], the weights baked in:
 * what `exportPolicy` compiles, for programs in which the policy is a part.
 */
export function denoise(
  weights: Tensors,
  normalization: PolicyNormalization,
  features: Tensor,
  noise: Tensor,
  sampler: Sampler = sample,
): Tensor {
  const constants = Object.fromEntries(Object.entries(weights).map(([name, x]) => [name, constant(x)]));
  const chunk = sampler(constants, normalized(features, normalization.features), noise, EULER_STEPS);
  return clipByValue(denormalized(chunk, normalization.actions), -1, 1);
}

/** The widths of a policy, read off its weights and normalisation. */
export function sizesOf(weights: Tensors, { features, actions }: PolicyNormalization): Sizes {
  if (isTransformer(weights)) return transformerSizes(weights, { features, actions });
  const chunk = weights["velocity/out/bias"]?.data.length ?? 0;
  const input = weights["velocity/0/kernel"]?.shape[0] ?? 0;
  const sizes = { features: features.center.length, action: actions.center.length };
  const horizon = chunk / sizes.action;
  if (!Number.isInteger(horizon) || horizon < 1 || input !== sizes.features + chunk + 32) {
    throw new RangeError(
      `Cannot read the sizes of a flow policy with ${input} inputs and ${chunk} outputs: for ${sizes.features} ` +
        `features and actions of ${sizes.action} they must be features + outputs + 32 and a multiple of the action`,
    );
  }
  return { ...sizes, horizon };
}

function transformerSizes(weights: Tensors, { features, actions }: PolicyNormalization): Sizes {
  const sizes = { features: features.center.length, action: actions.center.length };
  const input = weights["velocity/0/kernel"]?.shape[0], output = weights["velocity/out/bias"]?.data.length;
  if (input !== sizes.features || output !== sizes.action) {
    throw new RangeError(
      `Cannot read the sizes of a flow transformer with ${input} inputs and ${output} outputs: they must be the ` +
        `${sizes.features} features and the ${sizes.action} numbers of an action`,
    );
  }
  return { ...sizes, horizon: weights["velocity/position"]!.shape[0]! };
}

/** (x - center) / scale over the last axis, clipped where the normalisation says so; units baked in. */
export function normalized(x: Tensor, { center, scale, clip }: Normalization): Tensor {
  const y = div(sub(x, row(center)), row(scale));
  return clip === null ? y : clipByValue(y, -clip, clip);
}

/** x · scale + center over the last axis; units baked in. */
export function denormalized(x: Tensor, { center, scale }: Normalization): Tensor {
  return add(mul(x, row(scale)), row(center));
}

function row(values: readonly number[]): Tensor {
  return constant({ shape: [values.length], data: Float32Array.from(values) });
}

/** A flow policy ready to act for a fixed number of rows (one row an environment lane). */
export class FlowPolicy {
  /** Rows B of every call. */
  readonly batch: number;
  /** Widths of features, chunk and action. */
  readonly sizes: Sizes;
  /** Actions H of a chunk. */
  readonly horizon: number;
  /** Actions of a chunk that are executed before the next is drawn. */
  readonly execute: number;
  readonly #session: Session;

  private constructor(session: Session, batch: number, sizes: Sizes, execute: number) {
    this.#session = session;
    this.batch = batch;
    this.sizes = sizes;
    this.horizon = sizes.horizon;
    this.execute = execute;
  }

  /**
   * Opens the policy of `weights` ("velocity/…") for `batch` rows.
   *
   * @throws {RangeError} when `execute` is not 1 ... H, or the weights do not fit the normalisation
   */
  static async open(
    weights: Tensors,
    normalization: PolicyNormalization,
    options: SessionOptions & { batch: number; execute?: number; sampler?: Sampler },
  ): Promise<FlowPolicy> {
    const { batch, execute = 8, sampler, ...running } = options;
    const sizes = sizesOf(weights, normalization);
    if (!Number.isInteger(execute) || execute < 1 || execute > sizes.horizon) {
      throw new RangeError(`Cannot execute ${execute} actions of a chunk: it must be 1 ... ${sizes.horizon}`);
    }
    const program = exportPolicy(weights, normalization, batch, sampler);
    const session = await Session.create(program, running);
    return new FlowPolicy(session, batch, sizes, execute);
  }

  /** Draws one chunk a row: features [B, F] in physical units, noise [B, H, A] ~ N(0, I) → actions [B, H, A]. */
  async sample(features: NDArray, noise: NDArray): Promise<NDArray> {
    const { actions } = await this.#session.run({ features, noise });
    return actions!;
  }

  /** Releases the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
