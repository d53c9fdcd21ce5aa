/** Running programs: the seam's outside. Which provider runs them follows from the device. */
import { device as deviceHere } from "./device.ts";
import { checkInputs } from "./inputs.ts";
import type { Program } from "./program.ts";
import { provider as cpu } from "./providers/cpu/provider.ts";
import { host } from "./providers/ort/host_provider.ts";
import { type Device, devices } from "./providers/devices.ts";
import type { LoadOptions, Provider, Runnable } from "./providers/provider.ts";
import type { Tensors } from "../ndarray.ts";

/** How a program is run. */
export interface SessionOptions {
  /** CPU threads of one operator, 1 or more; 2 unless said. The last bits of results may depend on it from 3 on. */
  readonly threads?: number;
  /** Where it runs; the thread's device unless said. */
  readonly device?: Device;
  /** Whether the calling thread stays free during an update, so that it can act meanwhile; false unless said. */
  readonly concurrent?: boolean;
  /** Folder of the provider, for tests and benchmarks; that of the device unless said. */
  readonly provider?: string;
}

/**
 * The provider behind some options, and what it is to be asked with.
 *
 * @throws {RangeError} when `threads` is not a positive integer
 * @throws {Error} when there is no such device or provider, or the one does not serve the other
 */
export async function choose(
  { threads = 2, device = deviceHere(), concurrent = false, provider: chosen }: SessionOptions,
): Promise<{ provider: Provider; options: LoadOptions }> {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new RangeError(`Cannot run a program on ${threads} threads: it must be a positive integer`);
  }
  if (!Object.hasOwn(devices, device)) {
    throw new Error(
      `Cannot run a program on device "${device}": it must be one of ${Object.keys(devices).join(", ")}`,
    );
  }
  const { provider: usual, concurrent: beside } = devices[device];
  const name = chosen ?? (concurrent ? beside ?? usual : usual);
  const provider = atHand.get(`${name} ${device}`) ?? await other(name);
  if (!provider.devices.includes(device)) {
    throw new Error(
      `Cannot run on ${device} with provider "${name}": it serves ${provider.devices.join(", ")}`,
    );
  }
  return { provider, options: { threads, device, concurrent } };
}

// By name and device. They are imported as any module is, so that their code is part of the key of every stage that runs
// programs: these run where nobody chose a device.
const atHand: ReadonlyMap<string, Provider> = new Map([["cpu cpu", cpu], ["ort cpu", host]]);

// The others come by a computed address: the lab adds their code to the keys of stages that run on their device.
async function other(name: string): Promise<Provider> {
  const folder = new URL(["providers", ""].join("/"), import.meta.url);
  const known = [...Deno.readDirSync(folder)].filter((item) => item.isDirectory).map(({ name }) => name);
  if (!known.includes(name)) {
    throw new Error(`Cannot load provider "${name}": it must be one of ${known.sort().join(", ")}`);
  }
  const { provider } = await import(new URL(`${name}/provider.ts`, folder).href) as { provider: Provider };
  return provider;
}

/**
 * A loaded program. Results are the same bits for the same program, device, thread count, ONNX Runtime and CPU family.
 * On the CPU a call occupies the thread it is made on until it is done; run long ones in a worker.
 */
export class Session {
  /** What is loaded. */
  readonly program: Program;
  #runnable: Runnable | undefined;

  private constructor(program: Program, runnable: Runnable) {
    this.program = program;
    this.#runnable = runnable;
  }

  /**
   * Loads a program.
   *
   * @throws {RangeError} when `threads` is not a positive integer
   * @throws {Error} when the device cannot be used, or cannot run the program
   */
  static async create(program: Program, options: SessionOptions = {}): Promise<Session> {
    const chosen = await choose(options);
    return new Session(program, await chosen.provider.load(program, chosen.options));
  }

  /**
   * One call of the program. Inputs are read, never kept; outputs are new arrays.
   *
   * @throws {Error} when an input is missing, unknown or of another shape than the program wants, or after disposal
   */
  async run(inputs: Tensors): Promise<Tensors> {
    if (!this.#runnable) throw new Error("Cannot run a disposed session: create another one");
    checkInputs(this.program, inputs);
    return await this.#runnable.run(inputs);
  }

  /** Frees the model's memory. Waits for nothing: calls must have returned. */
  async [Symbol.asyncDispose](): Promise<void> {
    const runnable = this.#runnable;
    this.#runnable = undefined;
    await runnable?.[Symbol.asyncDispose]();
  }
}
