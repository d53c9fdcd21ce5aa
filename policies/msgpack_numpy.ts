/**
 * MessagePack with arrays as openpi's `msgpack_numpy.py` writes them (packages/openpi-client): an array is a map with binary
 * keys {b"__ndarray__": true, b"data": bytes, b"dtype": "<f4", b"shape": [...]}, row-major. The library neither writes nor reads
 * maps with such keys by itself: here their heads are written by hand and all leaves by the library.
 */
import { decode, encode } from "@msgpack/msgpack";

/** An array of the wire. */
export interface WireArray {
  /** NumPy's name of the element type: "|u1", "<f4", "<f8", "<i8", ... */
  readonly dtype: string;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** Elements, row-major: the array's memory. */
  readonly data: Uint8Array;
}

/** What messages are made of. Objects with exactly the three fields of a `WireArray` are arrays. */
export type Wire =
  | null
  | boolean
  | number
  | string
  | WireArray
  | readonly Wire[]
  | { readonly [name: string]: Wire };

const ARRAY = "__ndarray__";
const SCALAR = "__npgeneric__";

/** Whether a value of a message is an array with elements. */
export function isWireArray(value: unknown): value is WireArray {
  if (value === null || typeof value !== "object") return false;
  const { dtype, shape, data } = value as Partial<WireArray>;
  return typeof dtype === "string" && Array.isArray(shape) && data instanceof Uint8Array;
}

/** Floats or bytes as an array of the wire; float64 keeps its width. */
export function wireArray(
  shape: readonly number[],
  data: Float32Array | Float64Array | Uint8Array,
): WireArray {
  const dtype = data instanceof Float64Array ? "<f8" : data instanceof Float32Array ? "<f4" : "|u1";
  return { dtype, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The bytes of a message, equal to those of openpi's packer for the same values. */
export function pack(value: Wire): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  write(value, parts);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const binary = (name: string) => encode(new TextEncoder().encode(name));

function write(value: Wire, parts: Uint8Array[]): void {
  if (isWireArray(value)) {
    const { dtype, shape, data } = value;
    parts.push(head(0x80, 0xde, 4), binary(ARRAY), encode(true), binary("data"), encode(data));
    parts.push(binary("dtype"), encode(dtype), binary("shape"), encode([...shape]));
  } else if (Array.isArray(value)) {
    parts.push(head(0x90, 0xdc, value.length));
    for (const item of value) write(item, parts);
  } else if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    parts.push(head(0x80, 0xde, entries.length));
    for (const [name, item] of entries) {
      parts.push(encode(name));
      write(item, parts);
    }
  } else parts.push(encode(value));
}

/** Head of a map or list of `count` entries: in one byte up to 15, else with two or four bytes of length. */
function head(short: number, long: number, count: number): Uint8Array {
  if (count < 16) return Uint8Array.of(short | count);
  if (count < 65_536) return Uint8Array.of(long, count >> 8, count & 255);
  return Uint8Array.of(long + 1, count >>> 24, (count >> 16) & 255, (count >> 8) & 255, count & 255);
}

/**
 * Reads a message. Arrays may have binary keys, as openpi writes them, or text keys, as vla-eval does. NumPy scalars become
 * plain numbers, 64-bit integers beyond 2^53 lose digits.
 *
 * @throws {Error} when the bytes are no whole message, or an array's bytes do not fit its shape
 */
export function unpack(bytes: Uint8Array): Wire {
  const utf8 = new TextDecoder();
  const mapKeyConverter = (key: unknown): string => {
    if (key instanceof Uint8Array) return utf8.decode(key);
    if (typeof key === "string" || typeof key === "number") return String(key);
    throw new Error(`Cannot read a message with a key of type ${typeof key}: keys are texts`);
  };
  return read(decode(bytes, { mapKeyConverter }));
}

/** Bytes of an element by NumPy's name of its type; undefined for types that are not numbers. */
export function elementSize(dtype: string): number | undefined {
  const [, digits] = /^[<|=>]?[biuf](\d+)$/.exec(dtype) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function read(value: unknown): Wire {
  if (value instanceof Uint8Array) return wireArray([value.length], value.slice());
  if (Array.isArray(value)) return value.map(read);
  if (value === null || typeof value !== "object") return value as Wire;
  const map = value as Readonly<Record<string, unknown>>;
  if (SCALAR in map) return read(map.data);
  if (!(ARRAY in map)) {
    return Object.fromEntries(Object.entries(map).map(([name, item]) => [name, read(item)]));
  }
  const { dtype, shape, data } = map;
  const whole = { dtype, shape, data };
  if (!isWireArray(whole)) throw new Error("Cannot read an array: it needs data, dtype and shape");
  const size = elementSize(whole.dtype);
  if (size === undefined) throw new Error(`Cannot read an array of ${whole.dtype}: elements must be numbers`);
  const wanted = whole.shape.reduce((count, extent) => count * extent, size);
  if (whole.data.length !== wanted) {
    throw new Error(
      `Cannot read an array of shape [${whole.shape}] and type ${whole.dtype}: it has ${whole.data.length} bytes, ` +
        `not ${wanted}`,
    );
  }
  return { dtype: whole.dtype, shape: [...whole.shape], data: whole.data.slice() };
}

/**
 * The numbers of an array, in float32.
 *
 * @throws {Error} when its elements are not little-endian floats or bytes
 */
export function floats({ dtype, data }: WireArray): Float32Array {
  const { buffer } = data.slice();
  switch (dtype) {
    case "<f4":
      return new Float32Array(buffer);
    case "<f8":
      return Float32Array.from(new Float64Array(buffer));
    case "<f2":
      return Float32Array.from(new Float16Array(buffer));
    case "|u1":
      return Float32Array.from(data);
  }
  throw new Error(`Cannot read numbers of type ${dtype}: wanted <f4, <f8, <f2 or |u1`);
}
