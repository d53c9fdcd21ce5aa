/** A learner's state, carried from one call of an update program to the next. */
import type { Program } from "./program.ts";
import { Session, type SessionOptions } from "./session.ts";
import type { Tensors } from "../ndarray.ts";

/** Runs a program of `compileUpdate` and keeps the state between calls. */
export class Learner {
  readonly #session: Session;
  #state: Tensors;

  private constructor(session: Session, state: Tensors) {
    this.#session = session;
    this.#state = state;
  }

  /** Loads an update program; `state` holds its tensors by name, without the prefix "state/". */
  static async create(program: Program, state: Tensors, options: SessionOptions = {}): Promise<Learner> {
    for (const name of Object.keys(state)) {
      if (!(`state/${name}` in program.inputs)) {
        throw new Error(
          `Cannot start a learner with unknown state "${name}": the program carries no such tensor`,
        );
      }
    }
    for (const [input, shape] of Object.entries(program.inputs)) {
      if (!input.startsWith("state/")) continue;
      const name = input.slice("state/".length);
      if (!state[name]) {
        throw new Error(`Cannot start a learner without state "${name}": pass it as [${shape}]`);
      }
      if (String(state[name].shape) !== String(shape)) {
        throw new Error(
          `Cannot start a learner with "${name}" of [${state[name].shape}]: it must be [${shape}]`,
        );
      }
    }
    return new Learner(await Session.create(program, options), { ...state });
  }

  /** The state after the last update: names without "state/". Each update makes new arrays. */
  get state(): Tensors {
    return this.#state;
  }

  /**
   * K updates in one call.
   *
   * @param batches [K, ...] by name, without the prefix "batch/"
   * @returns metrics [K, ...] by name, without the prefix "metrics/"
   * @throws {Error} when a batch tensor is missing, unknown or misshapen
   */
  async update(batches: Tensors): Promise<Tensors> {
    const inputs: Tensors = {};
    for (const [name, value] of Object.entries(this.#state)) inputs[`state/${name}`] = value;
    for (const [name, value] of Object.entries(batches)) inputs[`batch/${name}`] = value;
    const outputs = await this.#session.run(inputs);
    const state: Tensors = {};
    const metrics: Tensors = {};
    for (const [name, value] of Object.entries(outputs)) {
      if (name.startsWith("state/")) state[name.slice("state/".length)] = value;
      else metrics[name.slice("metrics/".length)] = value;
    }
    this.#state = state;
    return metrics;
  }

  /** Frees the program's memory; the state stays readable. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
