/** Sessions on the GPU, and what they are bound to. */
import { text } from "./api.ts";
import type { Block, Gpu } from "./cuda.ts";
import type { Layout } from "./layout.ts";
import { Binding, OrtSession } from "./session.ts";
import type { Program } from "../../program.ts";

const SETTINGS: Readonly<Record<string, string>> = {
  device_id: "0",
  // Runs are captured once and then launched as a whole: hundreds of small kernels cost one call.
  enable_cuda_graph: "1",
  // TF32 rounds factors to 10 bits: 1.2e-3 off after 200 updates where float32 is 4e-6 off.
  use_tf32: "0",
  // EXHAUSTIVE times kernels and takes the fastest: another one tomorrow, and other bits.
  cudnn_conv_algo_search: "HEURISTIC",
  arena_extend_strategy: "kSameAsRequested",
};

/**
 * Loads a program of fixed shapes on the GPU.
 *
 * @throws {Error} when the GPU has no kernel for one of its operators
 */
export function openSession(gpu: Gpu, program: Program): OrtSession {
  const { api, env } = gpu.runtime;
  const settings = api.make("CreateCUDAProviderOptions");
  try {
    const [names, values] = [Object.keys(SETTINGS), Object.values(SETTINGS)].map((list) => {
      const texts = list.map(text);
      return { texts, addresses: BigUint64Array.from(texts, addressOf) };
    });
    const count = BigInt(names!.texts.length);
    api.call("UpdateCUDAProviderOptions", settings, names!.addresses, values!.addresses, count);
    api.call("UpdateCUDAProviderOptionsWithValue", settings, text("user_compute_stream"), gpu.stream);
    return new OrtSession(api, env, program.onnx, {
      threads: 1,
      ports: { inputs: Object.keys(program.inputs).length, outputs: Object.keys(program.outputs).length },
      // An operator without a CUDA kernel is an error, not a detour over the CPU.
      // An output that was folded to a constant would be copied while the graph is captured, which CUDA forbids.
      entries: {
        "session.disable_cpu_ep_fallback": "1",
        "optimization.disable_specified_optimizers": "ConstantFolding;EliminateIdentity",
      },
      configure: (options) => {
        // Else sums over rows end in atomic additions, in another order every time.
        api.call("SetDeterministicCompute", options, true);
        api.call("SessionOptionsAppendExecutionProvider_CUDA_V2", options, settings);
      },
    });
  } finally {
    api.release("CUDAProviderOptions", settings);
  }
}

const addressOf = (bytes: Uint8Array<ArrayBuffer>) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));

/** Arrays of a program in a block of the GPU: where, and under which prefix the program knows them. */
export interface Bound {
  /** What the program's names begin with, e.g. "state/". */
  readonly prefix: string;
  /** Where each array lies, by the rest of its name. */
  readonly layout: Layout;
  /** What it lies in. */
  readonly block: Block;
}

/** Binds all inputs and outputs of a session; its runs are captured as graph number `graph`. */
export function bind(
  gpu: Gpu,
  session: OrtSession,
  program: Program,
  { inputs, outputs, graph }: {
    readonly inputs: readonly Bound[];
    readonly outputs: readonly Bound[];
    readonly graph: number;
  },
): Binding {
  const binding = new Binding(session, {
    gpu_graph_id: String(graph),
    // Whoever reads results waits for them; the next launch need not.
    disable_synchronize_execution_providers: "1",
  });
  const all = (
    port: "input" | "output",
    names: readonly string[],
    places: readonly string[],
    bound: readonly Bound[],
  ) => {
    names.forEach((name, i) => {
      const { prefix, layout, block } = bound.find(({ prefix }) => name.startsWith(prefix))!;
      const { offset, shape } = layout.places.get(name.slice(prefix.length))!;
      const address = Deno.UnsafePointer.create(block.address + BigInt(offset))!;
      binding.bind(port, places[i]!, { info: gpu.info, address }, shape);
    });
  };
  try {
    all("input", Object.keys(program.inputs), session.inputs, inputs);
    all("output", Object.keys(program.outputs), session.outputs, outputs);
  } catch (thrown) {
    binding[Symbol.dispose]();
    throw thrown;
  }
  return binding;
}
