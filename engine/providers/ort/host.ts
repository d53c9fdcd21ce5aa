/** Programs on the CPU, with nothing copied: ONNX Runtime reads the caller's arrays and writes the ones it makes. */
import { filled } from "./layout.ts";
import { openRuntime, packagedLibrary, type Runtime } from "./library.ts";
import { Binding, type Memory, OrtSession } from "./session.ts";
import { threading } from "../threading.ts";
import type { LoadOptions, Runnable } from "../provider.ts";
import type { Program } from "../../program.ts";
import { ndarray, size, type Tensors } from "../../../ndarray.ts";

/** V8 may keep an array of less than this many bytes inside an object it moves. */
const MOVABLE = 128;

/** Opens a session on the CPU. */
export function openSession(
  program: Program,
  { threads }: LoadOptions,
): { runtime: Runtime; session: OrtSession } {
  const runtime = openRuntime(packagedLibrary());
  const session = new OrtSession(runtime.api, runtime.env, program.onnx, {
    threads,
    ports: { inputs: Object.keys(program.inputs).length, outputs: Object.keys(program.outputs).length },
    entries: Object.fromEntries(
      Object.entries(threading).map(([name, value]) => [`session.${name}`, value]),
    ),
  });
  return { runtime, session };
}

/** An array that stays where it is, with the elements of `data`. */
function unmoved(data: Float32Array): Float32Array<ArrayBuffer> {
  if (data.byteLength >= MOVABLE && data.buffer instanceof ArrayBuffer) {
    return data as Float32Array<ArrayBuffer>;
  }
  const copy = zeros(data.length);
  copy.set(data);
  return copy;
}

/** Zeros that stay where they are. */
function zeros(count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(new ArrayBuffer(Math.max(MOVABLE, 4 * count)), 0, count);
}

const memory = ({ host }: Runtime, data: Float32Array<ArrayBuffer>): Memory => ({
  info: host,
  address: Deno.UnsafePointer.of(data)!,
});

/** Loads a program on the CPU. */
export function load(program: Program, options: LoadOptions): Runnable {
  const { runtime, session } = openSession(program, options);
  const inputs = Object.keys(program.inputs);
  const looped = inputs.find((name) => program.inputs[name]![0] === -1);
  return {
    run(given: Tensors): Promise<Tensors> {
      const updates = looped === undefined ? 1 : given[looped]!.shape[0]!;
      using binding = new Binding(session);
      const kept: Float32Array[] = []; // alive until the run is done
      inputs.forEach((name, i) => {
        const data = unmoved(given[name]!.data);
        kept.push(data);
        binding.bind("input", session.inputs[i]!, memory(runtime, data), given[name]!.shape);
      });
      const results: Tensors = {};
      Object.entries(filled(program.outputs, updates)).forEach(([name, shape], i) => {
        const data = zeros(size(shape));
        results[name] = ndarray(shape, data);
        binding.bind("output", session.outputs[i]!, memory(runtime, data), shape);
      });
      binding.run();
      kept.length = 0;
      return Promise.resolve(results);
    },
    [Symbol.asyncDispose](): Promise<void> {
      session[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}
