/** In what two outputs of one kind differ: tables by column and row, weights by tensor and norm, JSON by path. */
import { decodeArrow, decodeColumn, type Decoded } from "../data/arrow.ts";
import { decodeMixedSafetensors } from "../data/safetensors.ts";

/** A value at a place that both sides have; null stands for a missing value of a table. */
export type Value = unknown;

/** A column that differs. */
export interface ColumnDifference {
  /** Name of the column. */
  readonly name: string;
  /** Rows that differ; null where the types differ and rows cannot be compared. */
  readonly rows: number | null;
  /** The first of them, with the place in it where rows are lists. */
  readonly first: { readonly row: number; readonly at?: number; readonly a: Value; readonly b: Value } | null;
}

/** A tensor that differs. */
export interface TensorDifference {
  /** Name of the tensor. */
  readonly name: string;
  /** Its shape; where shapes differ, both as text. */
  readonly shape: readonly number[] | string;
  /** Euclidean norm of b - a; null where shapes or types differ. */
  readonly norm: number | null;
  /** That norm by the norm of a; null where a is zero. */
  readonly relative: number | null;
}

/** Names that only one side has. */
export interface Only {
  /** In the first output alone. */
  readonly a: readonly string[];
  /** In the second output alone. */
  readonly b: readonly string[];
}

/** What differs between two outputs whose bytes differ. */
export type OutputDetail =
  | {
    readonly form: "table";
    readonly rows: readonly [number, number];
    readonly only: Only;
    readonly columns: readonly ColumnDifference[];
  }
  | {
    readonly form: "weights";
    /** Norm over all tensors that both have in one shape, and that norm by the norm of a. */
    readonly norm: number;
    readonly relative: number | null;
    readonly only: Only;
    /** The most different first. */
    readonly tensors: readonly TensorDifference[];
  }
  | {
    readonly form: "document";
    /** Values that differ, of all `count` the first 20. */
    readonly paths: readonly { readonly path: string; readonly a?: Value; readonly b?: Value }[];
    readonly count: number;
  }
  | {
    readonly form: "bytes";
    /** First byte that differs, and the sizes. */
    readonly at: number;
    readonly bytes: readonly [number, number];
    /** Why values were not compared, where they should have been. */
    readonly reason?: string;
  };

const SHOWN_PATHS = 20;

/** Compares two outputs of a kind whose bytes differ. What cannot be decoded is compared as bytes, and says why. */
export function outputDifference(kind: string, a: Uint8Array, b: Uint8Array): OutputDetail {
  const compare = readers[kind];
  if (!compare) return bytes(a, b);
  try {
    return compare(a, b);
  } catch (error) {
    return { ...bytes(a, b), reason: (error as Error).message };
  }
}

const readers: Readonly<Record<string, (a: Uint8Array, b: Uint8Array) => OutputDetail>> = {
  weights,
  episodes: tables,
  metrics: tables,
  evaluation: tables,
  normalization: documents,
  document: documents,
};

function bytes(a: Uint8Array, b: Uint8Array) {
  let at = 0;
  while (at < Math.min(a.length, b.length) && a[at] === b[at]) at++;
  return { form: "bytes", at, bytes: [a.length, b.length] } as const;
}

const only = (a: readonly string[], b: readonly string[]): Only => ({
  a: a.filter((name) => !b.includes(name)),
  b: b.filter((name) => !a.includes(name)),
});

function tables(a: Uint8Array, b: Uint8Array): OutputDetail {
  const [first, second] = [decodeArrow(a), decodeArrow(b)];
  const [left, right] = [first, second].map((table) => table.schema.fields.map(({ name }) => name));
  const shared = left!.filter((name) => right!.includes(name));
  const columns = shared.flatMap((name) =>
    column(name, decodeColumn(first, name), decodeColumn(second, name)) ?? []
  );
  return { form: "table", rows: [first.numRows, second.numRows], only: only(left!, right!), columns };
}

/** Rows beyond the end of the shorter table are not counted: the tables' numbers of rows tell of them. */
function column(name: string, a: Decoded, b: Decoded): ColumnDifference | undefined {
  const type = ({ values, inner }: Decoded) => `${values.constructor.name} [${inner}]`;
  if (type(a) !== type(b)) return { name, rows: null, first: null };
  const width = a.inner.reduce((product, extent) => product * extent, 1);
  let rows = 0;
  let first: ColumnDifference["first"] = null;
  for (let row = 0; row < Math.min(a.valid.length, b.valid.length); row++) {
    const at = rowDifference(a, b, row, width);
    if (at < 0) continue;
    rows++;
    const value = ({ values, valid }: Decoded) => valid[row] ? values[row * width + at] : null;
    first ??= { row, ...(a.inner.length > 0 ? { at } : {}), a: value(a), b: value(b) };
  }
  return rows > 0 ? { name, rows, first } : undefined;
}

/** Where in a row two columns differ first; -1 where they are equal. */
function rowDifference(a: Decoded, b: Decoded, row: number, width: number): number {
  if (a.valid[row] !== b.valid[row]) return 0;
  if (!a.valid[row]) return -1;
  for (let k = 0; k < width; k++) {
    if (!Object.is(a.values[row * width + k], b.values[row * width + k])) return k;
  }
  return -1;
}

function weights(a: Uint8Array, b: Uint8Array): OutputDetail {
  const [first, second] = [decodeMixedSafetensors(a).tensors, decodeMixedSafetensors(b).tensors];
  const tensors: TensorDifference[] = [];
  let [squares, size] = [0, 0];
  for (const [name, x] of Object.entries(first)) {
    const y = second[name];
    if (!y) continue;
    if (x.shape.join() !== y.shape.join() || x.data.constructor !== y.data.constructor) {
      const text = ({ shape, data }: typeof x) => `${data.constructor.name.replace("Array", "")} [${shape}]`;
      tensors.push({ name, shape: `${text(x)} -> ${text(y)}`, norm: null, relative: null });
      continue;
    }
    let [change, own] = [0, 0];
    for (let i = 0; i < x.data.length; i++) {
      change += (y.data[i]! - x.data[i]!) ** 2;
      own += x.data[i]! ** 2;
    }
    squares += change;
    size += own;
    if (change !== 0) {
      tensors.push({ name, shape: x.shape, norm: Math.sqrt(change), relative: ratio(change, own) });
    }
  }
  // Tensors that cannot be subtracted come first: nothing is more different. NaN counts as such, too.
  const rank = ({ norm }: TensorDifference) => norm === null || Number.isNaN(norm) ? Infinity : norm;
  tensors.sort((x, y) => rank(x) === rank(y) ? 0 : rank(y) - rank(x));
  return {
    form: "weights",
    norm: Math.sqrt(squares),
    relative: ratio(squares, size),
    only: only(Object.keys(first), Object.keys(second)),
    tensors,
  };
}

const ratio = (change: number, own: number) => own > 0 ? Math.sqrt(change / own) : null;

function documents(a: Uint8Array, b: Uint8Array): OutputDetail {
  const parse = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));
  const found: { path: string; a?: Value; b?: Value }[] = [];
  values(parse(a), parse(b), "$", found);
  return { form: "document", paths: found.slice(0, SHOWN_PATHS), count: found.length };
}

/** Gathers the leaves that differ; a side without the leaf has no value there. */
function values(a: unknown, b: unknown, path: string, found: { path: string; a?: Value; b?: Value }[]): void {
  const lists = Array.isArray(a) && Array.isArray(b);
  if (!lists && !(isRecord(a) && isRecord(b))) {
    if (!Object.is(a, b)) found.push({ path, ...given("a", a), ...given("b", b) });
    return;
  }
  const [left, right] = [a, b] as Record<string, unknown>[];
  for (const name of new Set([...Object.keys(left!), ...Object.keys(right!)])) {
    values(left![name], right![name], lists ? `${path}[${name}]` : `${path}.${name}`, found);
  }
}

const given = (side: "a" | "b", value: unknown) => value === undefined ? {} : { [side]: value };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
