/** Running programs with ONNX Runtime on the CPU. The only module that imports it. */
import * as ort from "onnxruntime-node";
import type { Program } from "./program.ts";
import { size, type Tensors } from "../ndarray.ts";

/** How a program is run. */
export interface SessionOptions {
  /** Threads of one operator, 1 or more; 2 unless said. The last bits of results may depend on it from 3 on. */
  readonly threads?: number;
}

/**
 * A loaded program. Results are the same bits for the same program, thread count, ONNX Runtime and CPU family.
 * A call occupies the thread it is made on until it is done; run long ones in a worker.
 */
export class Session {
  /** What is loaded. */
  readonly program: Program;
  #session: ort.InferenceSession | undefined;

  private constructor(program: Program, session: ort.InferenceSession) {
    this.program = program;
    this.#session = session;
  }

  /**
   * Loads a program.
   *
   * @throws {RangeError} when `threads` is not a positive integer
   */
  static async create(program: Program, { threads = 2 }: SessionOptions = {}): Promise<Session> {
    if (!Number.isInteger(threads) || threads < 1) {
      throw new RangeError(`Cannot run a program on ${threads} threads: it must be a positive integer`);
    }
    const session = await ort.InferenceSession.create(program.onnx, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      // NOTE: "basic" gives other bits; results are pinned to this level.
      graphOptimizationLevel: "extended",
      // NOTE: hands elements to threads in shrinking blocks: 8 % faster beside busy processes, equal on a quiet
      // machine, and the same bits.
      extra: { session: { dynamic_block_base: "2" } },
    });
    return new Session(program, session);
  }

  /**
   * One call of the program. Inputs are read, never kept; outputs are new arrays.
   *
   * @throws {Error} when an input is missing, unknown or of another shape than the program wants, or after disposal
   */
  async run(inputs: Tensors): Promise<Tensors> {
    const session = this.#session;
    if (!session) throw new Error("Cannot run a disposed session: create another one");
    this.#check(inputs);
    // The program lists its inputs and outputs in the model's order; names may differ there.
    const names = Object.keys(this.program.inputs);
    const feeds: Record<string, ort.Tensor> = {};
    names.forEach((name, i) => {
      const { data, shape } = inputs[name]!;
      feeds[session.inputNames[i]!] = new ort.Tensor("float32", data, shape);
    });
    const results = await session.run(feeds);
    const outputs: Tensors = {};
    Object.keys(this.program.outputs).forEach((name, i) => {
      const { data, dims } = results[session.outputNames[i]!]!;
      outputs[name] = { shape: dims, data: data as Float32Array };
    });
    return outputs;
  }

  #check(inputs: Tensors): void {
    let updates: number | undefined;
    for (const [name, wanted] of Object.entries(this.program.inputs)) {
      const given = inputs[name];
      if (!given) throw new Error(`Cannot run the program without input "${name}": pass it as [${wanted}]`);
      const fits = given.shape.length === wanted.length &&
        wanted.every((extent, i) => extent === -1 ? given.shape[i]! > 0 : extent === given.shape[i]);
      if (!fits) {
        const text = wanted.map((extent) => extent === -1 ? "K" : extent);
        throw new Error(`Cannot run the program with "${name}" of [${given.shape}]: it must be [${text}]`);
      }
      if (!(given.data instanceof Float32Array)) {
        const kind = Object.prototype.toString.call(given.data).slice("[object ".length, -1);
        throw new Error(`Cannot run the program with "${name}" of ${kind}: it must be a Float32Array`);
      }
      if (given.data.length !== size(given.shape)) {
        const needed = `[${given.shape}] needs ${size(given.shape)}`;
        throw new Error(`Cannot run the program with "${name}" of ${given.data.length} elements: ${needed}`);
      }
      if (wanted[0] !== -1) continue;
      updates ??= given.shape[0]!;
      if (updates !== given.shape[0]) {
        throw new Error(`Cannot run ${given.shape[0]} updates of "${name}": other batches hold ${updates}`);
      }
    }
    for (const name of Object.keys(inputs)) {
      if (name in this.program.inputs) continue;
      const known = Object.keys(this.program.inputs).join(", ");
      throw new Error(`Cannot run the program with unknown input "${name}": its inputs are ${known}`);
    }
  }

  /** Frees the model's memory. Waits for nothing: calls must have returned. */
  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.release();
  }
}
