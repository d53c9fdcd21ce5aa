/**
 * Tracing: a tfjs-core function runs once on a backend that computes nothing and records every kernel into a
 * graph. Importing this module also registers our gradients with tfjs-core, for eager backends too.
 */
import {
  clone,
  customGrad,
  type DataType,
  engine,
  KernelBackend,
  registerBackend,
  registerGradient,
  registerKernel,
  type Tensor,
  tensor,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import * as arrangement from "./arrangement.ts";
import * as conv from "./conv.ts";
import * as elementwise from "./elementwise.ts";
import * as linear from "./linear.ts";
import * as normalize from "./normalize.ts";
import * as pooling from "./pooling.ts";
import * as reduction from "./reduction.ts";
import { Graph, type Value } from "./graph.ts";
import type { Gradient, Kernel, Kernels, Settings } from "./kernel.ts";
import type { NDArray } from "../ndarray.ts";

/** Extents by tensor name. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

const BACKEND = "uplift-trace";
const RANDOM = /^(random|truncatedNormal|dropout|rand__|multinomial|stateless)/;

let recording: Graph | undefined;
// What each traced tensor stands for, by tfjs-core's key of its data.
const values = new WeakMap<object, Value>();

function graph(action: string): Graph {
  if (!recording) {
    throw new Error(
      `Cannot ${action} here: no function is being traced and no eager tfjs backend is registered`,
    );
  }
  return recording;
}

function describe(value: Value): TensorInfo {
  const dataId = {};
  values.set(dataId, value);
  return { dataId, shape: [...value.shape], dtype: value.dtype };
}

function valueOf(info: TensorInfo, kernel: string): Value {
  const value = values.get(info.dataId);
  if (!value) {
    throw new Error(
      `Cannot trace ${kernel} of a tensor [${info.shape}] made outside the traced function: ` +
        "pass it as an input, or bake it in with constant()",
    );
  }
  return value;
}

function unreadable(): Error {
  return new Error(
    "Cannot read a traced tensor: its numbers exist only when the program runs; return it as an output instead of " +
      "calling dataSync(), data(), print() or testing it with `if`",
  );
}

class TraceBackend extends KernelBackend {
  override write(elements: unknown, shape: number[], dtype: DataType): object {
    const scopes = engine().state.scopeStack;
    const random = scopes.find(({ name }) => RANDOM.test(name));
    if (random) {
      throw new Error(
        `Cannot draw random numbers while tracing (tf.${
          random.name.replace("__op", "")
        }): they would be the same ` +
          "in every call; pass noise as an input, drawn from a named stream of random.ts",
      );
    }
    if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
      throw new Error(`Cannot trace a constant of ${dtype}: it must be float32, int32 or bool`);
    }
    const value = graph("make a tensor").constant(elements as ArrayLike<number>, shape, dtype);
    return describe(value).dataId;
  }

  override readSync(): never {
    throw unreadable();
  }

  override read(): Promise<never> {
    return Promise.reject(unreadable());
  }

  override move(): never {
    throw new Error(
      "Cannot trace a tensor made outside the traced function: pass it as an input, or bake it in with constant()",
    );
  }

  override disposeData(): boolean {
    return true;
  }

  override incRef(): void {}

  override refCount(): number {
    return 1;
  }

  override numDataIds(): number {
    return 0;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {}
}

function register(name: string, kernel: Kernel): void {
  registerKernel({
    kernelName: name,
    backendName: BACKEND,
    kernelFunc: ({ inputs, attrs }) => {
      const given = Object.entries(inputs).filter(([, info]) => info !== undefined && info !== null);
      const operands = Object.fromEntries(
        given.map(([key, info]) => [key, valueOf(info as TensorInfo, name)]),
      );
      const result = kernel(graph(`record ${name}`), operands, (attrs ?? {}) as Settings);
      return Array.isArray(result) ? result.map(describe) : describe(result as Value);
    },
  });
}

function registerDerivative(name: string, { inputs, outputs = 0, gradient }: Gradient): void {
  const list = inputs === "list";
  registerGradient({
    kernelName: name,
    ...(list ? { saveAllInputs: true } : { inputsToSave: [...inputs] }),
    outputsToSave: Array.from({ length: outputs }, () => true),
    gradFunc: (dy, saved, attrs) => {
      const count = list ? saved.length : inputs.length;
      const dys = Array.isArray(dy) ? dy : [dy];
      const parts = gradient(dys, saved.slice(0, count), saved.slice(count), (attrs ?? {}) as Settings);
      return Object.fromEntries(parts.map((part, i) => [list ? String(i) : inputs[i]!, part]));
    },
  });
}

const tables: readonly { kernels: Kernels; gradients?: Readonly<Record<string, Gradient>> }[] = [
  elementwise,
  reduction,
  arrangement,
  linear,
  conv,
  pooling,
  normalize,
];
registerBackend(BACKEND, () => new TraceBackend(), 0);
for (const { kernels, gradients = {} } of tables) {
  for (const [name, kernel] of Object.entries(kernels)) register(name, kernel);
  for (const [name, gradient] of Object.entries(gradients)) registerDerivative(name, gradient);
}

/** What a traced function computes: its outputs as values of a graph, by name. */
export interface Trace {
  /** Holds all values; passes add to it. */
  readonly graph: Graph;
  /** The function's inputs. */
  readonly inputs: Readonly<Record<string, Value>>;
  /** What the function returned. */
  readonly outputs: Readonly<Record<string, Value>>;
}

/**
 * Runs `f` once on traced inputs of the given shapes and returns the graph of its outputs. The tfjs backend that
 * was current before is current afterwards.
 *
 * @throws {Error} when `f` reads a tensor's values, draws random numbers, uses a tensor from outside or a kernel
 * that has no recording here
 */
export function trace(
  f: (inputs: Record<string, Tensor>) => Readonly<Record<string, Tensor>>,
  shapes: Shapes,
): Trace {
  if (recording) throw new Error("Cannot trace while tracing: compile the inner function first");
  const before = engine().backendName as string | undefined;
  recording = new Graph();
  // NOTE: setBackend() of a backend with a synchronous factory is done when it returns; its promise is only form.
  void engine().setBackend(BACKEND);
  engine().startScope("trace");
  try {
    const graph = recording;
    const inputs: Record<string, Value> = {};
    const tensors: Record<string, Tensor> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      inputs[name] = graph.input(name, shape);
      tensors[name] = engine().makeTensorFromTensorInfo(describe(inputs[name]));
    }
    const outputs: Record<string, Value> = {};
    for (const [name, output] of Object.entries(f(tensors))) {
      outputs[name] = valueOf(output, `output "${name}"`);
    }
    return { graph, inputs, outputs };
  } catch (error) {
    const missing = /Kernel '(\w+)' not registered for backend 'uplift-trace'/.exec(String(error));
    if (!missing) throw error;
    throw new Error(`Cannot trace the tfjs kernel ${missing[1]}: engine/ has no recording of it`, {
      cause: error,
    });
  } finally {
    engine().endScope();
    recording = undefined;
    if (before && before !== BACKEND) void engine().setBackend(before);
    else Object.assign(engine(), { backendName: null, backendInstance: null });
  }
}

/** `x` as a constant of differentiation: the same numbers, and no gradient flows through. */
export function stopGradient<T extends Tensor>(x: T): T {
  // A node of the tape without inputs is connected to nothing.
  return customGrad(() => ({ value: clone(x), gradFunc: () => [] }))() as T;
}

/** A host array baked into the program while tracing; an eager tensor otherwise. */
export function constant(x: NDArray): Tensor {
  return tensor(x.data, [...x.shape], "float32");
}
