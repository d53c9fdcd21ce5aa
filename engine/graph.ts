/**
 * The graph a traced program becomes: values named by what computes them. Equal computations are one value
 * (hash-consing), so nothing is ever computed twice, and a value that no output needs simply is not emitted.
 */
import { createHash } from "node:crypto";

/** Element types inside a graph; programs take and give float32 only. */
export type DType = "float32" | "int32" | "bool";

/** A constant setting of an operator, e.g. the axes of a sum. */
export type Attribute = number | string | readonly number[];
/** Settings of an operator by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/**
 * One array of known shape. `op` is an ONNX operator, or one of: `Input` (attribute `name`), `Constant` (`data`),
 * `Splat` (one number, attribute `value`, in every element), `Part` (output number `index` of an operator with
 * several outputs, of which the operator's own value is the first).
 */
export interface Value {
  /** Number in order of creation; operands have smaller ones. */
  readonly id: number;
  /** ONNX operator, or one of the four kinds above. */
  readonly op: string;
  /** Operands in the operator's order. */
  readonly inputs: readonly Value[];
  /** Settings by the operator's names. */
  readonly attributes: Attributes;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** Type of the elements. */
  readonly dtype: DType;
  /** Little-endian elements of a `Constant`; bool takes one byte, the others four. */
  readonly data?: Uint8Array;
}

/** Everything about a value but its number. */
export type ValueFields = Omit<Value, "id" | "inputs" | "attributes"> & {
  readonly inputs?: readonly Value[];
  readonly attributes?: Attributes;
};

/** A growing set of values, each distinct from all others. */
export class Graph {
  readonly #values = new Map<string, Value>();

  /** The value with these fields: the one that exists already, or a new one. */
  add(fields: ValueFields): Value {
    const { op, inputs = [], attributes = {}, shape, dtype, data } = fields;
    const key = [
      op,
      inputs.map((input) => input.id),
      Object.keys(attributes).sort().map((name) => `${name}=${text(attributes[name]!)}`),
      shape,
      dtype,
      data ? createHash("sha256").update(data).digest("hex") : "",
    ].join("|");
    const known = this.#values.get(key);
    if (known) return known;
    const value: Value = {
      id: this.#values.size,
      op,
      inputs: [...inputs],
      attributes,
      shape: [...shape],
      dtype,
      ...(data ? { data } : {}),
    };
    this.#values.set(key, value);
    return value;
  }

  /** A program input of float32. */
  input(name: string, shape: readonly number[]): Value {
    return this.add({ op: "Input", attributes: { name }, shape, dtype: "float32" });
  }

  /** One number in every element. A `bool` is 0 or 1. */
  splat(value: number, shape: readonly number[] = [], dtype: DType = "float32"): Value {
    return this.add({ op: "Splat", attributes: { value }, shape, dtype });
  }

  /** An array baked into the program; the elements are copied. A constant of equal elements becomes a splat. */
  constant(elements: ArrayLike<number>, shape: readonly number[], dtype: DType): Value {
    const first = elements[0];
    if (first !== undefined && every(elements, (element) => Object.is(element, first))) {
      return this.splat(first, shape, dtype);
    }
    const data = dtype === "float32"
      ? Float32Array.from(elements)
      : dtype === "int32"
      ? Int32Array.from(elements)
      : Uint8Array.from(elements);
    return this.add({ op: "Constant", shape, dtype, data: new Uint8Array(data.buffer) });
  }

  /** `value` computed from other inputs of the same shapes. */
  withInputs(value: Value, inputs: readonly Value[]): Value {
    return inputs.every((input, i) => input === value.inputs[i]) ? value : this.add({ ...value, inputs });
  }
}

// JSON would write NaN and the infinities as null, and -0 as 0.
function text(attribute: Attribute): string {
  if (typeof attribute === "number") return Object.is(attribute, -0) ? "-0" : String(attribute);
  return typeof attribute === "string" ? JSON.stringify(attribute) : `[${attribute.map(text)}]`;
}

function every(elements: ArrayLike<number>, test: (element: number) => boolean): boolean {
  for (let i = 0; i < elements.length; i++) if (!test(elements[i]!)) return false;
  return true;
}

/** All values that `roots` need, each after its inputs, in an order that depends on the roots alone. */
export function topological(roots: readonly Value[]): Value[] {
  const order: Value[] = [];
  const seen = new Set<Value>();
  // An explicit stack: the graph of an update is deeper than the call stack likes.
  const stack: { value: Value; next: number }[] = [];
  for (const root of roots) {
    if (seen.has(root)) continue;
    seen.add(root);
    stack.push({ value: root, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.value.inputs[top.next++];
      if (input === undefined) {
        order.push(top.value);
        stack.pop();
      } else if (!seen.has(input)) {
        seen.add(input);
        stack.push({ value: input, next: 0 });
      }
    }
  }
  return order;
}

/** How many values and roots read each value. */
export function countUses(roots: readonly Value[]): Map<Value, number> {
  const uses = new Map<Value, number>();
  const count = (value: Value) => uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const value of topological(roots)) value.inputs.forEach(count);
  roots.forEach(count);
  return uses;
}
