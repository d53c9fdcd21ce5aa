/** A learner's state, carried from one call of an update program to the next. */
import { checkInputs } from "./inputs.ts";
import type { Program } from "./program.ts";
import type { Carrier } from "./providers/provider.ts";
import { choose, type SessionOptions } from "./session.ts";
import type { Tensors } from "../ndarray.ts";

/** Runs a program of `compileUpdate` and keeps the state between calls, on the device it runs on. */
export class Learner {
  readonly #program: Program;
  #carrier: Carrier | undefined;
  #last: Tensors = {};

  private constructor(program: Program, carrier: Carrier) {
    this.#program = program;
    this.#carrier = carrier;
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
    const chosen = await choose(options);
    return new Learner(program, await chosen.provider.carry(program, state, chosen.options));
  }

  /**
   * The state after the last update: names without "state/". Each update makes new arrays. Where the state lives on a
   * device, a tensor is copied when it is first read, which must be before the next update: spread or `part()` the record
   * to keep it.
   */
  get state(): Tensors {
    return this.#carrier?.state ?? this.#last;
  }

  /**
   * K updates in one call.
   *
   * @param batches [K, ...] by name, without the prefix "batch/"
   * @returns metrics [K, ...] by name, without the prefix "metrics/"
   * @throws {Error} when a batch tensor is missing, unknown or misshapen, or after disposal
   */
  async update(batches: Tensors): Promise<Tensors> {
    if (!this.#carrier) throw new Error("Cannot run a disposed session: create another one");
    const inputs = Object.entries(batches).map(([name, value]) => [`batch/${name}`, value]);
    checkInputs(this.#program, Object.fromEntries(inputs), "batch/");
    return await this.#carrier.update(batches);
  }

  /** Frees the program's memory; the state stays readable. */
  async [Symbol.asyncDispose](): Promise<void> {
    const carrier = this.#carrier;
    if (!carrier) return;
    this.#last = { ...carrier.state };
    this.#carrier = undefined;
    await carrier[Symbol.asyncDispose]();
  }
}
