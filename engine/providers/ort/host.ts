/** Programs on the CPU, with nothing copied: ONNX Runtime reads the caller's arrays and writes the ones it gets. */
import { openRuntime, packagedLibrary, type Runtime } from "./library.ts";
import { Binding, type Memory, OrtSession } from "./session.ts";
import type { Carrier, LoadOptions, Runnable } from "../provider.ts";
import type { Program } from "../../program.ts";
import { ndarray, type Tensors } from "../../../ndarray.ts";

/** V8 may keep an array of less than this many bytes inside an object it moves. */
const MOVABLE = 128;

function open(program: Program, { threads }: LoadOptions): { runtime: Runtime; session: OrtSession } {
  const runtime = openRuntime(packagedLibrary());
  const session = new OrtSession(runtime.api, runtime.env, program.onnx, {
    threads,
    ports: { inputs: Object.keys(program.inputs).length, outputs: Object.keys(program.outputs).length },
    // As the provider "cpu": blocks handed to threads shrink. The same bits, faster beside busy processes.
    entries: { "session.dynamic_block_base": "2" },
  });
  return { runtime, session };
}

/** An array that stays where it is, with the elements of `data`. */
function still(data: Float32Array): Float32Array<ArrayBuffer> {
  if (data.byteLength >= MOVABLE && data.buffer instanceof ArrayBuffer) {
    return data as Float32Array<ArrayBuffer>;
  }
  const copy = room(data.length);
  copy.set(data);
  return copy;
}

/** Zeros that stay where they are. */
function room(count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(new ArrayBuffer(Math.max(MOVABLE, 4 * count)), 0, count);
}

const memory = ({ host }: Runtime, data: Float32Array<ArrayBuffer>): Memory => ({
  info: host,
  address: Deno.UnsafePointer.of(data)!,
});

/** Extents with K in the place of -1. */
const filled = (shape: readonly number[], updates: number) =>
  shape.map((extent) => extent === -1 ? updates : extent);

/** Loads a program on the CPU. */
export function load(program: Program, options: LoadOptions): Runnable {
  const { runtime, session } = open(program, options);
  const [inputs, outputs] = [Object.keys(program.inputs), Object.entries(program.outputs)];
  const looped = inputs.find((name) => program.inputs[name]![0] === -1);
  return {
    run(given: Tensors): Promise<Tensors> {
      const updates = looped === undefined ? 1 : given[looped]!.shape[0]!;
      using binding = new Binding(session);
      const kept: Float32Array[] = []; // alive until the run is done
      inputs.forEach((name, i) => {
        const data = still(given[name]!.data);
        kept.push(data);
        binding.bind("input", session.inputs[i]!, memory(runtime, data), given[name]!.shape);
      });
      const results: Tensors = {};
      outputs.forEach(([name, shape], i) => {
        const extents = filled(shape, updates);
        const data = room(extents.reduce((a, b) => a * b, 1));
        results[name] = ndarray(extents, data);
        binding.bind("output", session.outputs[i]!, memory(runtime, data), extents);
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

/** Loads an update program on the CPU: its state lies in two places, and each call reads one and writes the other. */
export function carry(program: Program, state: Tensors, options: LoadOptions): Carrier {
  const { runtime, session } = open(program, options);
  return new HostState(program, runtime, session, state);
}

/** State tensors by name. */
type Side = Map<string, Float32Array<ArrayBuffer>>;

class HostState implements Carrier {
  readonly #program: Program;
  readonly #runtime: Runtime;
  readonly #session: OrtSession;
  readonly #sides: readonly [Side, Side];
  readonly #bindings: readonly [Binding, Binding];
  #now: 0 | 1 = 0;
  #read: Tensors | undefined;

  constructor(program: Program, runtime: Runtime, session: OrtSession, state: Tensors) {
    this.#program = program;
    this.#runtime = runtime;
    this.#session = session;
    const side = () => new Map(Object.entries(state).map(([name, { data }]) => [name, room(data.length)]));
    this.#sides = [side(), side()];
    for (const [name, { data }] of Object.entries(state)) this.#sides[0].get(name)!.set(data);
    this.#bindings = [new Binding(session), new Binding(session)];
    for (const from of [0, 1] as const) {
      this.#ports("input", "state/", (name, port, shape) => {
        this.#bindings[from].bind("input", port, memory(runtime, this.#sides[from].get(name)!), shape);
      });
      this.#ports("output", "state/", (name, port, shape) => {
        this.#bindings[from].bind("output", port, memory(runtime, this.#sides[1 - from]!.get(name)!), shape);
      });
    }
  }

  #ports(
    port: "input" | "output",
    prefix: string,
    visit: (name: string, port: string, shape: readonly number[]) => void,
  ): void {
    const [shapes, names] = port === "input"
      ? [this.#program.inputs, this.#session.inputs]
      : [this.#program.outputs, this.#session.outputs];
    Object.entries(shapes).forEach(([name, shape], i) => {
      if (name.startsWith(prefix)) visit(name.slice(prefix.length), names[i]!, shape);
    });
  }

  get state(): Tensors {
    if (this.#read) return this.#read;
    const state: Tensors = this.#read = {}, side = this.#sides[this.#now];
    for (const [port, shape] of Object.entries(this.#program.inputs)) {
      if (!port.startsWith("state/")) continue;
      const name = port.slice("state/".length);
      let value: Tensors[string] | undefined;
      // Copied when it is read: acting beside the learner reads a tenth of it in every call.
      const get = () => {
        if (value) return value;
        if (this.#read !== state) {
          throw new Error(`Cannot read "${name}" of a state before the last update: read it before updating`);
        }
        return value = ndarray(shape, side.get(name)!.slice());
      };
      Object.defineProperty(state, name, { get, enumerable: true });
    }
    return state;
  }

  async update(batches: Tensors): Promise<Tensors> {
    const binding = this.#bindings[this.#now];
    const kept: Float32Array[] = []; // alive until the run is done
    let updates = 1;
    this.#ports("input", "batch/", (name, port) => {
      const { shape, data } = batches[name]!;
      const array = still(data);
      kept.push(array);
      updates = shape[0]!;
      binding.bind("input", port, memory(this.#runtime, array), shape);
    });
    const metrics: Tensors = {};
    this.#ports("output", "metrics/", (name, port, shape) => {
      const extents = filled(shape, updates);
      const data = room(extents.reduce((a, b) => a * b, 1));
      metrics[name] = ndarray(extents, data);
      binding.bind("output", port, memory(this.#runtime, data), extents);
    });
    await binding.runLater();
    kept.length = 0;
    this.#now = this.#now === 0 ? 1 : 0;
    this.#read = undefined;
    return metrics;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const binding of this.#bindings) binding[Symbol.dispose]();
    this.#session[Symbol.dispose]();
    return Promise.resolve();
  }
}
