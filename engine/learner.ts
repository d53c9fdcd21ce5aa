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
  #running: Promise<unknown> | undefined;
  #failed = false;

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
   * The state after the last update: names without "state/". Where the state lies outside of this thread's arrays, a
   * tensor is copied when it is first read, which must be before the next update begins: spread or `part()` the record to
   * keep it.
   *
   * @throws {Error} during an update, and after one that failed: what it left is neither the old state nor the new one
   */
  get state(): Tensors {
    this.#refuseUnlessReady("read the state of a learner");
    return this.#carrier?.state ?? this.#last;
  }

  /**
   * K updates in one call. One call at a time; where the thread stays free meanwhile, the batches must stay as they are
   * until the call is done.
   *
   * @param batches [K, ...] by name, without the prefix "batch/"
   * @returns metrics [K, ...] by name, without the prefix "metrics/"
   * @throws {Error} when a batch tensor is missing, unknown or misshapen, during another update, after one that failed, or
   * after disposal
   */
  async update(batches: Tensors): Promise<Tensors> {
    if (!this.#carrier) throw new Error("Cannot run a disposed session: create another one");
    this.#refuseUnlessReady("update a learner");
    const inputs = Object.entries(batches).map(([name, value]) => [`batch/${name}`, value]);
    checkInputs(this.#program, Object.fromEntries(inputs), "batch/");
    const running = this.#running = this.#carrier.update(batches);
    try {
      return await running;
    } catch (thrown) {
      this.#failed = true;
      throw thrown;
    } finally {
      this.#running = undefined;
    }
  }

  #refuseUnlessReady(action: string): void {
    if (this.#running) throw new Error(`Cannot ${action} during an update: await it first`);
    if (this.#failed) {
      throw new Error(`Cannot ${action} after an update that failed: create it again from an earlier state`);
    }
  }

  /** Waits for an update under way and frees the program's memory; the state stays readable. */
  async [Symbol.asyncDispose](): Promise<void> {
    const carrier = this.#carrier;
    if (!carrier) return;
    await this.#running?.catch(() => {}); // whoever called it is told
    this.#carrier = undefined;
    try {
      if (!this.#failed) this.#last = { ...carrier.state };
    } finally {
      await carrier[Symbol.asyncDispose]();
    }
  }
}
