/** Programs: traced functions as self-contained ONNX models with named inputs and outputs. */
import { createHash } from "node:crypto";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weights } from "./differentiate.ts";
import type { Graph, Value } from "./graph.ts";
import { lower } from "./lower.ts";
import { type Body, encodeModel } from "./onnx.ts";
import { cast } from "./operators.ts";
import { optimize } from "./passes.ts";
import { type Shapes, trace } from "./trace.ts";

/** A compiled function. Shapes are in the order of the model's inputs and outputs; all elements are float32. */
export interface Program {
  /** The model, readable by any ONNX Runtime. Outputs that carry on an input are called "next/NAME" there. */
  readonly onnx: Uint8Array;
  /** Shapes of the inputs; a leading extent of -1 is K, the number of updates in one call. */
  readonly inputs: Shapes;
  /** Shapes of the outputs; -1 as for inputs. */
  readonly outputs: Shapes;
  /** SHA-256 of `onnx` in hexadecimal digits: with pinned versions, the identity of what is computed. */
  readonly digest: string;
  /** Of `compileUpdate`: one update without the loop around it, for providers that loop themselves. */
  readonly step?: () => Program;
}

// In ONNX an output may not have the name of an input.
const outputName = (name: string, inputs: Shapes) => name in inputs ? `next/${name}` : name;

function program(body: Body, inputs: Shapes, outputs: Shapes): Program {
  const onnx = encodeModel(body);
  return { onnx, inputs, outputs, digest: createHash("sha256").update(onnx).digest("hex") };
}

function shapesOf(values: Readonly<Record<string, Value>>): Record<string, readonly number[]> {
  return Object.fromEntries(Object.entries(values).map(([name, { shape }]) => [name, shape]));
}

function rename<T>(values: Readonly<Record<string, T>>, prefix: string): [string, T][] {
  return Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]);
}

// Outputs of a program are float32; comparisons and indices are cast.
function finish(graph: Graph, outputs: Readonly<Record<string, Value>>): [string, Value][] {
  const names = Object.keys(outputs);
  const floats = names.map((name) => cast(graph, outputs[name]!, "float32"));
  const optimized = optimize(graph, floats);
  return names.map((name, i) => [name, optimized[i]!]);
}

/**
 * Compiles `f` for inputs of the given shapes: one call of the program is one evaluation. Inputs and outputs are
 * named by the keys of the records; an input that `f` does not use stays an input.
 *
 * @throws {Error} when `f` cannot be traced (see `trace`)
 */
export function compile(
  f: (inputs: Record<string, Tensor>) => Readonly<Record<string, Tensor>>,
  inputs: Shapes,
): Program {
  const traced = trace(f, inputs);
  const outputs = finish(traced.graph, traced.outputs);
  if (outputs.length === 0) throw new Error("Cannot compile a function without outputs: return at least one");
  return flat(traced, outputs, inputs);
}

function flat(
  { graph, inputs }: { readonly graph: Graph; readonly inputs: Readonly<Record<string, Value>> },
  outputs: readonly [string, Value][],
  shapes: Shapes,
): Program {
  const ports = outputs.map(([name, value]) => [outputName(name, shapes), value] as const);
  const body = lower(graph, "program", Object.entries(inputs), ports);
  return program(body, shapes, shapesOf(Object.fromEntries(outputs)));
}

/**
 * Compiles K updates into one call. `update` takes the state and one batch and returns the new state and metrics;
 * the program loops over K batches, whatever K is. Its inputs are "state/NAME" and "batch/NAME" [K, ...], its
 * outputs "state/NAME" and "metrics/NAME" [K, ...].
 *
 * @throws {Error} when the new state has other names or shapes than the old, when there is no batch tensor, or when
 * `update` cannot be traced (see `trace`)
 */
export function compileUpdate(
  update: (state: Weights, batch: Weights) => { state: Weights; metrics: Weights },
  shapes: { readonly state: Shapes; readonly batch: Shapes },
): Program {
  if (Object.keys(shapes.batch).length === 0) {
    throw new Error(
      "Cannot compile an update without batch tensors: their first extent is the number of updates",
    );
  }
  const stateIn = rename(shapes.state, "state/");
  const batchIn = rename(shapes.batch, "batch/");
  const traced = trace((inputs) => {
    const pick = (record: Shapes, prefix: string) =>
      Object.fromEntries(Object.keys(record).map((name) => [name, inputs[prefix + name]!]));
    const next = update(pick(shapes.state, "state/"), pick(shapes.batch, "batch/"));
    checkState(shapes.state, next.state);
    const state = Object.keys(shapes.state).map((name) => [`state/${name}`, next.state[name]!] as const);
    return Object.fromEntries([...state, ...rename(next.metrics, "metrics/")]);
  }, Object.fromEntries([...stateIn, ...batchIn]));
  const outputs = finish(traced.graph, traced.outputs);
  // Inside the loop every name is its own: ONNX forbids a body to reuse the names around it.
  const inner = (name: string) => `loop/${name}`;
  const body = lower(
    traced.graph,
    "update",
    Object.entries(traced.inputs).map(([name, value]) => [inner(name), value]),
    outputs.map(([name, value]) => [`${inner(name)}/next`, value]),
  );
  const many = (name: string, shape: readonly number[]) => name.startsWith("state/") ? shape : [-1, ...shape];
  const port = (name: string, shape: readonly number[]) => ({
    name,
    shape: many(name, shape).map((extent) => extent < 0 ? "K" : extent),
  });
  const inputs = [...stateIn, ...batchIn];
  const given = inputs.map(([name, shape]) => port(name, shape));
  // In ONNX an output may not have the name of an input.
  const wanted = outputs.map(([name, { shape }]) => ({
    ...port(name, shape),
    name: name.replace(/^state/, "next"),
  }));
  const model: Body = {
    name: "updates",
    inputs: given,
    outputs: wanted,
    nodes: [{
      op: "Scan",
      inputs: given.map(({ name }) => name),
      outputs: wanted.map(({ name }) => name),
      attributes: { body, num_scan_inputs: batchIn.length },
    }],
    initializers: [],
  };
  const looped = program(
    model,
    Object.fromEntries(inputs.map(([name, shape]) => [name, many(name, shape)])),
    Object.fromEntries(outputs.map(([name, { shape }]) => [name, many(name, shape)])),
  );
  return { ...looped, step: () => flat(traced, outputs, Object.fromEntries(inputs)) };
}

function checkState(before: Shapes, after: Weights): void {
  for (const [name, shape] of Object.entries(before)) {
    const next = after[name];
    if (!next) throw new Error(`Cannot carry state "${name}": the update does not return it`);
    if (String(next.shape) !== String(shape)) {
      throw new Error(
        `Cannot carry state "${name}": the update returns [${next.shape}], it must stay [${shape}]`,
      );
    }
  }
  for (const name of Object.keys(after)) {
    if (!(name in before)) {
      throw new Error(`Cannot carry state "${name}": the update was given no such tensor`);
    }
  }
}
