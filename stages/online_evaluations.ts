/**
 * The evaluations of an online phase. Each is of the learner at one point of the schedule, copied there, so that its
 * result is the same whether the learner waits for it or goes on meanwhile.
 */
import type { Tensors } from "../ndarray.ts";
import type { CurveRow } from "./learning_curve.ts";

/** What an evaluation found. */
export interface Evaluation {
  /** Share of the episodes that succeeded. */
  readonly success: number;
  /** What they took. */
  readonly environmentSteps: number;
}

/** Evaluates weights as they were after some environment steps; `signal` ends it early, with its reason as the error. */
export type Evaluate = (weights: Tensors, onlineSteps: number, signal: AbortSignal) => Promise<Evaluation>;

/** An evaluation under way. */
export interface Pending {
  /** What it is of: all state of the learner where it may become the result, else what acting reads. */
  readonly state: Tensors;
  /** Its row of the curve, without the success. */
  readonly row: CurveRow;
}

/** Runs one evaluation at a time. */
export class Evaluations {
  readonly #evaluate: Evaluate;
  readonly #ended = new AbortController();
  #pending: (Pending & { readonly result: Promise<Evaluation> }) | undefined;

  /** Evaluates by `evaluate`. */
  constructor(evaluate: Evaluate) {
    this.#evaluate = evaluate;
  }

  /** The one under way, or begun and not yet settled. */
  get pending(): Pending | undefined {
    return this.#pending;
  }

  /**
   * Begins one.
   *
   * @throws {Error} when the last one has not been settled
   */
  begin({ state, row }: Pending): void {
    if (this.#pending) throw new Error("Cannot begin an evaluation beside another: settle that one first");
    const result = this.#evaluate(state, row.environment_steps!, this.#ended.signal);
    // It is awaited later; until then a failure must not count as unhandled.
    result.catch(() => {});
    this.#pending = { state, row, result };
  }

  /** Waits for the one under way; undefined where there is none. */
  async settled(): Promise<Pending & Evaluation | undefined> {
    if (!this.#pending) return undefined;
    const { state, row, result } = this.#pending;
    const found = await result;
    this.#pending = undefined;
    return { state, row, ...found };
  }

  /** Ends the one under way, if any, and waits until nothing of it runs on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new Error("The evaluation was ended early"));
    await this.#pending?.result.catch(() => {});
  }
}
