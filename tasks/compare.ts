/** Compares two outputs whose bytes differ: by value where the format is known. */
import type { Comparison } from "../lab/verify.ts";

// Relative to the larger magnitude, with a floor: float32 sums in another order stay within it.
const RELATIVE = 1e-4;
const ABSOLUTE = 1e-6;

/** Verdict and first difference of two outputs; formats it does not know are different as soon as a byte is. */
export async function compareOutputs(
  mediaType: string,
  stored: Uint8Array,
  again: Uint8Array,
): Promise<Comparison> {
  try {
    if (mediaType === "application/json") return compareJson(stored, again);
    if (mediaType === "application/vnd.safetensors") return compareSafetensors(stored, again);
    if (mediaType === "application/vnd.apache.arrow.file") return await compareArrow(stored, again);
  } catch {
    // One of them cannot be read: the bytes tell.
  }
  return firstByte(stored, again);
}

/** Numbers by path, and everything that is not a number as text by path. */
type Leaves = Map<string, number | string>;

function compareLeaves(stored: Leaves, again: Leaves): Comparison {
  let close: string | undefined;
  for (const [path, before] of stored) {
    const after = again.get(path);
    if (Object.is(before, after)) continue;
    const difference = `${path}: ${before} -> ${after ?? "absent"}`;
    if (typeof before !== "number" || typeof after !== "number" || !isClose(before, after)) {
      return { verdict: "different", difference };
    }
    close ??= difference;
  }
  for (const [path, after] of again) {
    if (!stored.has(path)) return { verdict: "different", difference: `${path}: absent -> ${after}` };
  }
  return close === undefined ? { verdict: "equal" } : { verdict: "close", difference: close };
}

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= ABSOLUTE + RELATIVE * Math.max(Math.abs(a), Math.abs(b));
}

function compareJson(stored: Uint8Array, again: Uint8Array): Comparison {
  const leaves = (bytes: Uint8Array) => {
    const found: Leaves = new Map();
    const walk = (value: unknown, path: string): void => {
      if (typeof value === "number") found.set(path, value);
      else if (value === null || typeof value !== "object") found.set(path, JSON.stringify(value));
      else {
        found.set(`${path} `, Array.isArray(value) ? "list" : "object");
        for (const [name, child] of Object.entries(value)) walk(child, `${path}/${name}`);
      }
    };
    walk(JSON.parse(new TextDecoder().decode(bytes)), "");
    return found;
  };
  return compareLeaves(leaves(stored), leaves(again));
}

function compareSafetensors(stored: Uint8Array, again: Uint8Array): Comparison {
  const [a, b] = [readSafetensors(stored), readSafetensors(again)];
  const heads = (file: Map<string, Tensor>): Leaves =>
    new Map([...file].map(([name, { type, shape }]) => [name, `${type} [${shape}]`]));
  const shapes = compareLeaves(heads(a), heads(b));
  if (shapes.verdict !== "equal") return shapes;
  let close: string | undefined;
  for (const [name, { values: before }] of a) {
    const after = b.get(name)!.values;
    for (let i = 0; i < before.length; i++) {
      if (Object.is(before[i], after[i])) continue;
      const difference = `${name}[${i}]: ${before[i]} -> ${after[i]}`;
      if (!isClose(before[i]!, after[i]!)) return { verdict: "different", difference };
      close ??= difference;
    }
  }
  return close === undefined ? { verdict: "equal" } : { verdict: "close", difference: close };
}

interface Tensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** Layout: github.com/huggingface/safetensors, an 8-byte header length, a JSON header, then the data. */
function readSafetensors(bytes: Uint8Array): Map<string, Tensor> {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = new Map<string, Tensor>();
  for (const name of Object.keys(header).filter((name) => name !== "__metadata__").sort()) {
    const { dtype, shape, data_offsets: [start, end] } = header[name];
    const data = bytes.slice(8 + length + start, 8 + length + end);
    const view = dtype === "F32"
      ? Float32Array
      : dtype === "F64"
      ? Float64Array
      : dtype === "I32"
      ? Int32Array
      : null;
    tensors.set(name, { type: dtype, shape, values: view ? new view(data.buffer) : data });
  }
  return tensors;
}

async function compareArrow(stored: Uint8Array, again: Uint8Array): Promise<Comparison> {
  const { tableFromIPC } = await import("apache-arrow");
  const leaves = (bytes: Uint8Array) => {
    const table = tableFromIPC(bytes);
    const found: Leaves = new Map();
    for (const field of table.schema.fields) {
      found.set(`${field.name} `, String(field.type));
      const column = table.getChild(field.name)!;
      for (let i = 0; i < column.length; i++) {
        const value: unknown = column.get(i);
        const parts: ArrayLike<unknown> = isList(value) ? Array.from(value) : [value];
        for (let j = 0; j < parts.length; j++) {
          const part = parts[j];
          found.set(`${field.name}[${i}][${j}]`, typeof part === "number" ? part : String(part));
        }
      }
    }
    return found;
  };
  return compareLeaves(leaves(stored), leaves(again));
}

const isList = (value: unknown): value is Iterable<unknown> =>
  typeof value === "object" && value !== null && Symbol.iterator in value;

function firstByte(stored: Uint8Array, again: Uint8Array): Comparison {
  let i = 0;
  while (i < stored.length && i < again.length && stored[i] === again[i]) i++;
  const byte = (bytes: Uint8Array) =>
    bytes[i] === undefined ? "end" : `0x${bytes[i]!.toString(16).padStart(2, "0")}`;
  return { verdict: "different", difference: `byte ${i}: ${byte(stored)} -> ${byte(again)}` };
}
