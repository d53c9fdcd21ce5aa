/**
 * The seam between programs and what runs them. A provider is a folder beside this file whose `provider.ts` exports
 * `provider`; what it cannot do it refuses with an error: nothing falls back to another provider.
 */
import type { Device } from "./devices.ts";
import type { Program } from "../program.ts";
import type { Tensors } from "../../ndarray.ts";

/** How a program is loaded. */
export interface LoadOptions {
  /** Threads of one operator on the CPU, 1 or more. */
  readonly threads: number;
  /** Where it runs. */
  readonly device: Device;
  /** Whether the calling thread is to stay free during an update. */
  readonly concurrent: boolean;
}

/** A loaded program. Calls come one after another; inputs were checked against the program's shapes. */
export interface Runnable extends AsyncDisposable {
  /** One call. Inputs are read, never kept; outputs are new arrays. */
  run(inputs: Tensors): Promise<Tensors>;
}

/** A loaded update program with the state it carries. Names are those of the program without their prefixes. */
export interface Carrier extends AsyncDisposable {
  /**
   * The state after the last update. A provider that keeps it elsewhere copies a tensor when it is read, and refuses to
   * read it once a later update has begun.
   */
  readonly state: Tensors;
  /**
   * K updates; batches [K, ...], metrics [K, ...]. Called again only when the call before is done; batches stay as they are
   * until then.
   */
  update(batches: Tensors): Promise<Tensors>;
}

/** What runs programs. */
export interface Provider {
  /** Devices it can run on. */
  readonly devices: readonly Device[];
  /** Loads a program. */
  load(program: Program, options: LoadOptions): Promise<Runnable>;
  /** Loads a program of `compileUpdate`, with its first state. */
  carry(program: Program, state: Tensors, options: LoadOptions): Promise<Carrier>;
}

/**
 * What a provider's results on a device are held to: the tests find it in the folder's `accuracy.ts`. A difference is that
 * of an array's entries over its largest entry.
 */
export interface Accuracy {
  /** Largest difference of a kernel and its gradients from tfjs on the CPU. */
  readonly kernels: number;
  /** Largest difference of an update from onnxruntime-node; 0 claims its bits. */
  readonly updates: number;
  /** Kernels it lacks, by their names in `engine/fixtures/kernel_cases.ts`: programs with them are refused. */
  readonly lacks?: readonly string[];
  /** Whether the device can be used here; always, where it is left out. */
  readonly usable?: () => boolean;
}
