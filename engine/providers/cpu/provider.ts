/** ONNX Runtime on the CPU through onnxruntime-node. The only module that imports it. */
import * as ort from "onnxruntime-node";
import { threading } from "../threading.ts";
import type { Carrier, LoadOptions, Provider, Runnable } from "../provider.ts";
import type { Program } from "../../program.ts";
import type { Tensors } from "../../../ndarray.ts";

/** Runs programs on the CPU. A call occupies the thread it is made on until it is done. */
export const provider: Provider = {
  devices: ["cpu"],
  load: (program, options) => LoadedProgram.create(program, options),
  async carry(program, state, options) {
    return new CarriedState(await LoadedProgram.create(program, options), state);
  },
};

class LoadedProgram implements Runnable {
  readonly #program: Program;
  readonly #session: ort.InferenceSession;

  private constructor(program: Program, session: ort.InferenceSession) {
    this.#program = program;
    this.#session = session;
  }

  static async create(program: Program, { threads }: LoadOptions): Promise<LoadedProgram> {
    const session = await ort.InferenceSession.create(program.onnx, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      // NOTE: "basic" gives other bits; results are pinned to this level.
      graphOptimizationLevel: "extended",
      extra: { session: threading },
    });
    return new LoadedProgram(program, session);
  }

  async run(inputs: Tensors): Promise<Tensors> {
    // The program lists its inputs and outputs in the model's order; names may differ there.
    const names = Object.keys(this.#program.inputs);
    const feeds: Record<string, ort.Tensor> = {};
    names.forEach((name, i) => {
      const { data, shape } = inputs[name]!;
      feeds[this.#session.inputNames[i]!] = new ort.Tensor("float32", data, shape);
    });
    const results = await this.#session.run(feeds);
    const outputs: Tensors = {};
    Object.keys(this.#program.outputs).forEach((name, i) => {
      const { data, dims } = results[this.#session.outputNames[i]!]!;
      outputs[name] = { shape: dims, data: data as Float32Array };
    });
    return outputs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }
}

/** State in arrays: every call takes them all and makes new ones. */
class CarriedState implements Carrier {
  readonly #loaded: LoadedProgram;
  state: Tensors;

  constructor(loaded: LoadedProgram, state: Tensors) {
    this.#loaded = loaded;
    this.state = { ...state };
  }

  async update(batches: Tensors): Promise<Tensors> {
    const inputs: Tensors = {};
    for (const [name, value] of Object.entries(this.state)) inputs[`state/${name}`] = value;
    for (const [name, value] of Object.entries(batches)) inputs[`batch/${name}`] = value;
    const state: Tensors = {};
    const metrics: Tensors = {};
    for (const [name, value] of Object.entries(await this.#loaded.run(inputs))) {
      if (name.startsWith("state/")) state[name.slice("state/".length)] = value;
      else metrics[name.slice("metrics/".length)] = value;
    }
    this.state = state;
    return metrics;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loaded[Symbol.asyncDispose]();
  }
}
