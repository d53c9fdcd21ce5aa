/** Graphs as ONNX graphs: names, initializers, and operators in ONNX's own spelling. */
import { type DType, type Graph, topological, type Value } from "./graph.ts";
import { type Body, DTYPES, type Initializer, MICROSOFT, type Node } from "./onnx.ts";
import { expand } from "./operators.ts";
import { size } from "../ndarray.ts";

/** Splats up to this many elements are written out; larger ones are expanded when the model runs. */
const WRITTEN_OUT = 4096;

/** The ONNX graph that computes `outputs`, a list of names and values. Ports are named as `ports` says. */
export function lower(
  graph: Graph,
  name: string,
  inputs: readonly (readonly [string, Value])[],
  outputs: readonly (readonly [string, Value])[],
): Body {
  for (const [port] of [...inputs, ...outputs]) {
    // The names of what is computed in between begin so.
    if (/^[$#]/.test(port)) {
      throw new Error(`Cannot name an input or output "${port}": it must not begin with $ or #`);
    }
  }
  const lowering = new Lowering(graph);
  for (const [port, value] of inputs) lowering.names.set(value, port);
  const order = topological(outputs.map(([, value]) => value));
  for (const value of order) lowering.parts(value);
  for (const value of order) lowering.emit(value);
  for (const [port, value] of outputs) {
    // NOTE: ONNX wants every output computed under its own name; a copy costs only as much as the array.
    lowering.nodes.push({ op: "Identity", inputs: [lowering.names.get(value)!], outputs: [port] });
  }
  return {
    name,
    inputs: inputs.map(([port, { shape }]) => ({ name: port, shape })),
    outputs: outputs.map(([port, { shape }]) => ({ name: port, shape })),
    nodes: renameOutputs(lowering.nodes, outputs.map(([port]) => port)),
    initializers: lowering.initializers,
  };
}

// Drops the copy of an output that a node of this graph computes for nobody else to name: the node then writes
// the output itself, and its other readers read that.
function renameOutputs(nodes: readonly Node[], ports: readonly string[]): Node[] {
  const computed = new Set(nodes.flatMap((node) => node.op === "Identity" ? [] : node.outputs));
  const renamed = new Map<string, string>();
  const isPort = new Set(ports);
  const kept = nodes.filter(({ op, inputs, outputs }) => {
    const [source, port] = [inputs[0], outputs[0]];
    if (op !== "Identity" || !isPort.has(port!) || !computed.has(source!) || renamed.has(source!)) {
      return true;
    }
    renamed.set(source!, port!);
    return false;
  });
  const name = (old: string) => renamed.get(old) ?? old;
  return kept.map((node) => ({ ...node, inputs: node.inputs.map(name), outputs: node.outputs.map(name) }));
}

class Lowering {
  readonly nodes: Node[] = [];
  readonly initializers: Initializer[] = [];
  readonly names = new Map<Value, string>();
  readonly #outputs = new Map<Value, number>();
  readonly #constants = new Map<string, string>();
  #next = 0;

  constructor(readonly graph: Graph) {}

  /** Notes how many outputs an operator is asked for. */
  parts(value: Value): void {
    if (value.op !== "Part") return;
    const source = value.inputs[0]!;
    const wanted = (value.attributes["index"] as number) + 1;
    this.#outputs.set(source, Math.max(this.#outputs.get(source) ?? 1, wanted));
  }

  emit(value: Value): void {
    if (this.names.has(value)) return;
    this.names.set(value, this.#emit(value));
  }

  #emit(value: Value): string {
    const { op, attributes, shape, dtype } = value;
    if (op === "Part") return `${this.names.get(value.inputs[0]!)!}_${attributes["index"]}`;
    if (op === "Constant") return this.#initializer(dtype, shape, value.data!);
    if (op === "Splat") return this.#splat(value);
    const inputs = value.inputs.map((input) => this.names.get(input)!);
    const name = `$${this.#next++}`;
    const count = this.#outputs.get(value) ?? 1;
    const outputs = Array.from({ length: count }, (_, i) => i === 0 ? name : `${name}_${i}`);
    this.nodes.push({ ...this.#node(value, inputs), outputs });
    return name;
  }

  #splat({ attributes, shape, dtype }: Value): string {
    const value = attributes["value"] as number;
    const count = size(shape);
    if (count <= WRITTEN_OUT) return this.#numbers(dtype, shape, new Array<number>(count).fill(value));
    const expanded = expand(this.graph, this.graph.splat(value, [], dtype), shape);
    this.emit(expanded.inputs[0]!);
    this.emit(expanded);
    return this.names.get(expanded)!;
  }

  #numbers(dtype: DType | "int64", shape: readonly number[], numbers: readonly number[]): string {
    const data = dtype === "float32"
      ? Float32Array.from(numbers)
      : dtype === "int32"
      ? Int32Array.from(numbers)
      : dtype === "bool"
      ? Uint8Array.from(numbers)
      : BigInt64Array.from(numbers, BigInt);
    return this.#initializer(dtype, shape, new Uint8Array(data.buffer));
  }

  #initializer(dtype: DType | "int64", shape: readonly number[], data: Uint8Array): string {
    const key = data.length <= 256 ? `${dtype}[${shape}]${data}` : "";
    const known = key && this.#constants.get(key);
    if (known) return known;
    const name = `#${this.initializers.length}`;
    if (key) this.#constants.set(key, name);
    this.initializers.push({ name, dtype, shape, data });
    return name;
  }

  // The operator as ONNX has it: some settings are int64 inputs there, and products have three spellings.
  #node(value: Value, inputs: readonly string[]): Omit<Node, "outputs"> {
    const { op, attributes, shape } = value;
    const ints = (numbers: readonly number[]) => this.#numbers("int64", [numbers.length], numbers);
    const list = (name: string) => attributes[name] as readonly number[];
    const rank = value.inputs[0]!.shape.length;
    switch (op) {
      case "Cast":
        return { op, inputs, attributes: { to: DTYPES[attributes["to"] as DType] } };
      case "Reshape":
      case "Expand":
        return { op, inputs: [...inputs, ints(shape)] };
      case "Tile":
        return { op, inputs: [...inputs, ints(list("repeats"))] };
      case "Slice": {
        const [start, length] = [list("start"), list("length")];
        const axes = start.flatMap((_, i) => length[i] === value.inputs[0]!.shape[i] ? [] : [i]);
        const ends = axes.map((i) => start[i]! + length[i]!);
        return { op, inputs: [...inputs, ints(axes.map((i) => start[i]!)), ints(ends), ints(axes)] };
      }
      case "Strided": {
        const [start, step] = [list("start"), list("step")];
        const axes = start.flatMap((_, i) => shape[i] === value.inputs[0]!.shape[i] ? [] : [i]);
        const ends = axes.map((i) => start[i]! + (shape[i]! - 1) * step[i]! + 1);
        const at = (numbers: readonly number[]) => ints(axes.map((i) => numbers[i]!));
        return { op: "Slice", inputs: [...inputs, at(start), ints(ends), ints(axes), at(step)] };
      }
      case "Reverse": {
        const axes = list("axes");
        const all = (number: number) => ints(axes.map(() => number));
        // From the last element to before the first, which ONNX writes as a huge negative end.
        return { op: "Slice", inputs: [...inputs, all(-1), all(-(2 ** 31)), ints(axes), all(-1)] };
      }
      case "Pad":
        return { op, inputs: [inputs[0]!, ints([...list("before"), ...list("after")]), inputs[1]!] };
      case "Clip":
        return {
          op,
          inputs: [
            ...inputs,
            ...["min", "max"].map((name) => this.#numbers(value.dtype, [], [attributes[name] as number])),
          ],
        };
      case "CumSum":
        return {
          op,
          inputs: [...inputs, this.#numbers("int64", [], [attributes["axis"] as number])],
          attributes: { exclusive: attributes["exclusive"]!, reverse: attributes["reverse"]! },
        };
      case "MatMul":
        return this.#product(value, inputs);
    }
    if (op.startsWith("Reduce")) {
      const axes = list("axes");
      const all = axes.length === rank ? inputs : [...inputs, ints(axes)];
      return { op, inputs: all, attributes: { keepdims: 1 } };
    }
    return { op, inputs, attributes };
  }

  #product({ inputs: [a, b], attributes }: Value, inputs: readonly string[]): Omit<Node, "outputs"> {
    const { transA, transB, alpha } = attributes as Record<string, number>;
    const settings = { transA: transA!, transB: transB!, alpha: alpha! };
    if (a!.shape.length === 2 && b!.shape.length === 2) return { op: "Gemm", inputs, attributes: settings };
    if (!transA && !transB && alpha === 1) return { op: "MatMul", inputs };
    return { op: "FusedMatMul", domain: MICROSOFT, inputs, attributes: settings };
  }
}
