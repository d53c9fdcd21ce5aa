/**
 * One GPU as this thread uses it: memory, copies and one stream on which everything happens in order. CUDA graphs are
 * captured on that stream, and while one is being captured no other call may reach the GPU from this process: so all use
 * goes through `exclusive`, and the lab lets only one stage at a time onto the GPU.
 */
import { join } from "node:path";
import type { Pointer } from "./api.ts";
import { text } from "./api.ts";
import { driver, fault } from "./cuda_driver.ts";
import { exhausted, explained, type Memory } from "./cuda_errors.ts";
import { folder, libraries, missing, named, ONNXRUNTIME } from "./cuda_libraries.ts";
import { type Cudart, endCapture, openCudart, reasonOf, TO_DEVICE, TO_HOST } from "./cuda_runtime.ts";
import { openRuntime, pin, type Runtime } from "./library.ts";

const OUT_OF_MEMORY = 2; // cudaErrorMemoryAllocation
const NON_BLOCKING = 1; // cudaStreamNonBlocking: apart from the default stream

/** Memory of the GPU, or of the host where the GPU can reach it by itself. */
export interface Block {
  /** Its address. */
  readonly pointer: Pointer;
  /** The same as a number. */
  readonly address: bigint;
  /** Its size. */
  readonly bytes: number;
}

/** Host memory that the GPU copies from and to. */
export interface HostBlock extends Block {
  /** What lies there. */
  readonly buffer: ArrayBuffer;
}

/** The GPU of this thread. */
export class Gpu {
  /** ONNX Runtime. */
  readonly runtime: Runtime;
  /** OrtMemoryInfo of the GPU. */
  readonly info: Pointer;
  /** The stream of all work. */
  readonly stream: Pointer;
  readonly #cudart: Cudart;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * Opens the first GPU.
   *
   * @throws {Error} naming what is missing and what mends it
   */
  constructor() {
    const wrong = fault(driver());
    if (wrong) throw new Error(`Cannot use the GPU: ${wrong.fault}; ${wrong.mend}`);
    const lacking = missing();
    if (lacking.length > 0) {
      throw new Error(`Cannot use the GPU: .cuda/lib lacks ${named(lacking)}; run deno task setup:cuda`);
    }
    // ONNX Runtime opens its own two.
    for (const { file } of libraries) {
      if (!file.startsWith("libonnxruntime")) pin(join(folder, file));
    }
    this.#cudart = openCudart();
    this.runtime = openRuntime(join(folder, ONNXRUNTIME));
    this.#check("open the GPU", this.#cudart.cudaSetDevice(0));
    this.stream = this.#made(
      "open the GPU",
      (out) => this.#cudart.cudaStreamCreateWithFlags(out, NON_BLOCKING),
    );
    // OrtDeviceAllocator, device 0, OrtMemTypeDefault
    this.info = this.runtime.api.make("CreateMemoryInfo", text("Cuda"), 0, 0, 0);
  }

  /** Does one thing after the other: `f` has the GPU to itself until it is done. */
  async exclusive<T>(f: () => T | Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      return await f();
    } catch (thrown) {
      endCapture(this.stream);
      throw explained(thrown, () => this.#memoryLeft());
    } finally {
      resolve();
    }
  }

  /** Memory on the GPU, freed with `owner`. */
  allocate(bytes: number, owner: DisposableStack): Block {
    const block = this.#block(bytes, (out) => this.#cudart.cudaMalloc(out, BigInt(bytes)));
    owner.defer(() => this.#cudart.cudaFree(block.pointer));
    return block;
  }

  /** Host memory that the GPU can reach, freed with `owner`. */
  allocateHost(bytes: number, owner: DisposableStack): HostBlock {
    const block = this.#block(bytes, (out) => this.#cudart.cudaHostAlloc(out, BigInt(bytes), 0));
    owner.defer(() => this.#cudart.cudaFreeHost(block.pointer));
    return { ...block, buffer: Deno.UnsafePointerView.getArrayBuffer(block.pointer, bytes) };
  }

  /** Copies to the GPU, in turn with all other work. */
  upload(to: bigint, from: bigint, bytes: number): void {
    this.#copy(to, from, bytes, TO_DEVICE);
  }

  /** Copies from the GPU, in turn with all other work. */
  download(to: bigint, from: bigint, bytes: number): void {
    this.#copy(to, from, bytes, TO_HOST);
  }

  #copy(to: bigint, from: bigint, bytes: number, kind: number): void {
    const code = this.#cudart.cudaMemcpyAsync(to, from, BigInt(bytes), kind, this.stream);
    this.#check("copy to or from the GPU", code);
  }

  /** Waits, on this thread, until all work is done. */
  finish(): void {
    this.#check("run on the GPU", this.#cudart.cudaStreamSynchronize(this.stream));
  }

  /** Waits until all work is done; this thread is free meanwhile. */
  async finished(): Promise<void> {
    this.#check("run on the GPU", await this.#cudart.finishNonBlocking(this.stream));
  }

  /** Bytes of the GPU's memory that nobody uses, and all it has. */
  memory(): Memory {
    const memory = this.#memoryLeft();
    if (!memory) throw new Error("Cannot ask the GPU for its memory: it does not answer; run nvidia-smi");
    return memory;
  }

  /** The memory, or undefined where even that cannot be asked. */
  #memoryLeft(): Memory | undefined {
    const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)];
    if (this.#cudart.cudaMemGetInfo(free, total) !== 0) return undefined;
    return { free: Number(free[0]), total: Number(total[0]) };
  }

  #block(bytes: number, f: (out: BigUint64Array<ArrayBuffer>) => number): Block {
    const pointer = this.#made(`allocate ${bytes} bytes`, f);
    return { pointer, address: Deno.UnsafePointer.value(pointer), bytes };
  }

  #made(action: string, f: (out: BigUint64Array<ArrayBuffer>) => number): Pointer {
    const out = new BigUint64Array(1);
    this.#check(action, f(out));
    return Deno.UnsafePointer.create(out[0]!)!;
  }

  #check(action: string, code: number): void {
    if (code === 0) return;
    if (code === OUT_OF_MEMORY) throw new Error(exhausted(this.#memoryLeft()));
    throw new Error(
      `Cannot ${action}: ${reasonOf(code)} (CUDA error ${code}); start the command again to resume`,
    );
  }
}

let gpu: Gpu | undefined;

/** The GPU of this thread, opened at the first call. */
export function openGpu(): Gpu {
  return gpu ??= new Gpu();
}
