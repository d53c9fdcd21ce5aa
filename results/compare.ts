/** Are two outputs of one stage the same? By rungs: the same bytes, the same values, close values, or different. */
import type { Table } from "apache-arrow";
import { decodeArrow, decodeColumn } from "../data/arrow.ts";
import { decodeMixedSafetensors } from "../data/safetensors.ts";

/** "equal": other bytes, the same values. "close": floating-point numbers within CLOSE. */
export type Verdict = "bitwise" | "equal" | "close" | "different";

/** What was found, and the first place where values (or, if those are equal, bytes) part. */
export interface Comparison {
  /** How alike they are. */
  readonly verdict: Verdict;
  /** The first difference in words; none for equal bytes. */
  readonly first?: string;
}

/** Numbers a and b are close when |a - b| <= absolute + relative · max(|a|, |b|). */
export const CLOSE = { relative: 1e-4, absolute: 1e-6 } as const;

/**
 * Compares two outputs of a kind: "weights" (safetensors), "episodes", "metrics" and "evaluation" (Arrow IPC),
 * "normalization" and "document" (JSON), "policy" (ONNX) or any other (bytes only).
 */
export function compareOutputs(kind: string, a: Uint8Array, b: Uint8Array): Comparison {
  const at = firstByte(a, b);
  if (at === undefined) return { verdict: "bitwise" };
  const bytes = `byte ${at} of ${a.length} and ${b.length}`;
  const values = readers[kind];
  if (!values) return { verdict: "different", first: bytes };
  let found: Difference;
  try {
    found = values(a, b);
  } catch (error) {
    return { verdict: "different", first: `${bytes}; ${(error as Error).message}` };
  }
  return { verdict: found.verdict, first: found.text() ?? `${bytes}, values are equal` };
}

function firstByte(a: Uint8Array, b: Uint8Array): number | undefined {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? undefined : length;
}

/** Gathers how far two outputs are apart. */
class Difference {
  verdict: "equal" | "close" | "different" = "equal";
  #first: string | undefined;
  #differing = 0;
  #compared = 0;
  #largest = 0;

  /** Something that no tolerance mends. */
  differ(first: string): void {
    this.verdict = "different";
    this.#first ??= first;
  }

  /** Two numbers; NaN equals NaN, and whole numbers (`exact`) must be equal. */
  number(a: number, b: number, exact: boolean, where: () => string): void {
    this.#compared++;
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return;
    this.#differing++;
    this.#first ??= `${where()}: ${a} and ${b}`;
    const size = Math.max(Math.abs(a), Math.abs(b));
    const distance = Math.abs(a - b);
    this.#largest = Math.max(this.#largest, Number.isFinite(distance) ? distance / size : Infinity);
    const close = !exact && distance <= CLOSE.absolute + CLOSE.relative * size && Number.isFinite(size);
    this.verdict = this.verdict === "different" || !close ? "different" : "close";
  }

  text(): string | undefined {
    if (this.#differing === 0) return this.#first;
    return `${this.#first}; ${this.#differing} of ${this.#compared} numbers differ, ` +
      `by ${this.#largest.toExponential(1)} of their size at most`;
  }
}

const readers: Readonly<Record<string, (a: Uint8Array, b: Uint8Array) => Difference>> = {
  weights,
  episodes: tables,
  metrics: tables,
  evaluation: tables,
  normalization: documents,
  document: documents,
};

/** Names that only one side has are told first. */
function names(difference: Difference, what: string, a: readonly string[], b: readonly string[]): string[] {
  for (const name of a) if (!b.includes(name)) difference.differ(`${what} "${name}" is only in the first`);
  for (const name of b) if (!a.includes(name)) difference.differ(`${what} "${name}" is only in the second`);
  return a.filter((name) => b.includes(name));
}

function weights(a: Uint8Array, b: Uint8Array): Difference {
  const difference = new Difference();
  const [first, second] = [decodeMixedSafetensors(a), decodeMixedSafetensors(b)];
  for (const name of names(difference, "tensor", Object.keys(first.tensors), Object.keys(second.tensors))) {
    const [x, y] = [first.tensors[name]!, second.tensors[name]!];
    if (x.shape.join() !== y.shape.join() || x.data.constructor !== y.data.constructor) {
      const type = ({ shape, data }: typeof x) => `${data.constructor.name} [${shape}]`;
      difference.differ(`tensor "${name}": ${type(x)} and ${type(y)}`);
      continue;
    }
    const exact = x.data instanceof Int32Array || x.data instanceof Uint8Array;
    for (let i = 0; i < x.data.length; i++) {
      difference.number(x.data[i]!, y.data[i]!, exact, () => `tensor "${name}" at [${unravel(i, x.shape)}]`);
    }
  }
  json(difference, first.metadata, second.metadata, "metadata");
  return difference;
}

/** The index along each axis of flat element i. */
function unravel(i: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  for (const extent of shape.toReversed()) {
    index.unshift(i % extent);
    i = Math.floor(i / extent);
  }
  return index;
}

function tables(a: Uint8Array, b: Uint8Array): Difference {
  const difference = new Difference();
  const [first, second] = [decodeArrow(a), decodeArrow(b)];
  const fields = (table: Table) => table.schema.fields.map((field) => field.name);
  const shared = names(difference, "column", fields(first), fields(second));
  if (first.numRows !== second.numRows) difference.differ(`${first.numRows} rows and ${second.numRows}`);
  else for (const name of shared) column(difference, first, second, name);
  json(
    difference,
    Object.fromEntries(first.schema.metadata),
    Object.fromEntries(second.schema.metadata),
    "metadata",
  );
  return difference;
}

function column(difference: Difference, a: Table, b: Table, name: string): void {
  const [x, y] = [decodeColumn(a, name), decodeColumn(b, name)];
  const type = ({ values, inner }: typeof x) => `${values.constructor.name} [${inner}]`;
  if (type(x) !== type(y)) return difference.differ(`column "${name}": rows of ${type(x)} and ${type(y)}`);
  const width = x.inner.reduce((product, extent) => product * extent, 1);
  const where = (row: number, k: number) =>
    `row ${row} of column "${name}"` + (x.inner.length > 0 ? ` at [${unravel(k, x.inner)}]` : "");
  for (let row = 0; row < x.valid.length; row++) {
    if (x.valid[row] !== y.valid[row]) {
      difference.differ(`${where(row, 0)}: ${x.valid[row] ? "a value and null" : "null and a value"}`);
    }
    if (!x.valid[row] || !y.valid[row]) continue;
    for (let k = 0; k < width; k++) {
      const [p, q] = [x.values[row * width + k]!, y.values[row * width + k]!];
      if (typeof p === "number" && typeof q === "number") {
        const exact = x.values instanceof Int32Array || x.values instanceof Uint8Array;
        difference.number(p, q, exact, () => where(row, k));
      } else if (p !== q) {
        difference.differ(`${where(row, k)}: ${JSON.stringify(p)} and ${JSON.stringify(q)}`);
      }
    }
  }
}

function documents(a: Uint8Array, b: Uint8Array): Difference {
  const difference = new Difference();
  const parse = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));
  json(difference, parse(a), parse(b), "$");
  return difference;
}

/** Compares JSON values; the order of keys does not count, and whole numbers must be equal. */
function json(difference: Difference, a: unknown, b: unknown, path: string): void {
  if (typeof a === "number" && typeof b === "number") {
    difference.number(a, b, Number.isInteger(a) && Number.isInteger(b), () => path);
  } else if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) difference.differ(`${path}: ${a.length} items and ${b.length}`);
    else a.forEach((item, i) => json(difference, item, b[i], `${path}[${i}]`));
  } else if (isObject(a) && isObject(b)) {
    for (const key of names(difference, `${path}: key`, Object.keys(a), Object.keys(b))) {
      json(difference, a[key], b[key], `${path}.${key}`);
    }
  } else if (a !== b) difference.differ(`${path}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
