/**
 * Columns of Apache Arrow from typed arrays and back. Buffers are handed to apache-arrow as they are, in one record
 * batch and without its builders, so that equal content gives equal bytes (builders pad and number dictionaries by a
 * process-wide counter).
 */
import {
  Bool,
  type Data,
  type DataType,
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  Type,
  Uint8,
  Utf8,
  Vector,
} from "apache-arrow";
import { type Elements, size } from "../ndarray.ts";

/** A column ready to be written; `nulls` marks the rows without a value. */
export interface Column {
  /** Name, type and nullability. */
  readonly field: Field;
  /** Buffers of all rows. */
  readonly data: Data;
}

const scalarTypes = [
  [Float32Array, Float32],
  [Float64Array, Float64],
  [Int32Array, Int32],
  [Uint8Array, Uint8],
] as const;

/**
 * The Arrow type of an array and a copy of it. The copy is needed: apache-arrow's writer merges neighbouring chunks that
 * lie in one ArrayBuffer, and so loses a column given twice or in overlapping views.
 */
function own(values: Elements): { item: Float32; copy: Float32Array } {
  for (const [Values, Type] of scalarTypes) {
    // Typed as one of the four, since apache-arrow's own types hold data of one at a time.
    if (values instanceof Values) {
      return { item: new Type() as Float32, copy: new Values(values) as Float32Array };
    }
  }
  throw new TypeError(
    `Cannot write ${
      Object.prototype.toString.call(values)
    } as a column: it must hold float32, float64, int32 or uint8`,
  );
}

/** Bit i is set where row i has a value (Arrow's validity bitmap). */
function bitmap(valid: readonly boolean[] | undefined, length: number) {
  if (!valid || valid.every(Boolean)) return { nullCount: 0 };
  const bits = new Uint8Array(Math.ceil(length / 8));
  valid.forEach((set, row) => set && (bits[row >> 3]! |= 1 << (row & 7)));
  return { nullCount: valid.filter((set) => !set).length, nullBitmap: bits };
}

/**
 * Numbers as a column of rows with shape `inner`: a plain number for [], a fixed-size list for [D], and Arrow's
 * canonical extension `arrow.fixed_shape_tensor` (stored as a fixed-size list) for higher ranks.
 */
export function numericColumn(
  name: string,
  values: Elements,
  inner: readonly number[] = [],
  valid?: readonly boolean[],
): Column {
  const { item, copy } = own(values);
  const width = size(inner);
  const length = inner.length === 0 ? values.length : valid ? valid.length : values.length / width;
  const mask = bitmap(valid, length);
  const nullable = mask.nullCount > 0;
  if (inner.length === 0) {
    return {
      field: new Field(name, item, nullable),
      data: makeData({ type: item, length, data: copy, ...mask }),
    };
  }
  const child = makeData({ type: item, length: copy.length, nullCount: 0, data: copy });
  const type = new FixedSizeList(width, new Field("item", item, false));
  const metadata = inner.length === 1 ? new Map() : new Map([
    ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
    ["ARROW:extension:metadata", JSON.stringify({ shape: inner })],
  ]);
  return {
    field: new Field(name, type, nullable, metadata),
    data: makeData({ type, length, child, ...mask }) as Data,
  };
}

/** Truth values, one bit each. */
export function booleanColumn(name: string, values: readonly boolean[]): Column {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((set, row) => set && (bits[row >> 3]! |= 1 << (row & 7)));
  const type = new Bool();
  return {
    field: new Field(name, type, false),
    data: makeData({ type, length: values.length, nullCount: 0, data: bits }),
  };
}

/** Text, each value spelt out. */
export function textColumn(name: string, values: readonly string[]): Column {
  return { field: new Field(name, new Utf8(), false), data: textData(values) };
}

function textData(values: readonly string[]) {
  const encoded = values.map((value) => new TextEncoder().encode(value));
  const valueOffsets = new Int32Array(values.length + 1);
  encoded.forEach((bytes, row) => valueOffsets[row + 1] = valueOffsets[row]! + bytes.length);
  const data = new Uint8Array(valueOffsets.at(-1)!);
  encoded.forEach((bytes, row) => data.set(bytes, valueOffsets[row]));
  return makeData({ type: new Utf8(), length: values.length, nullCount: 0, valueOffsets, data });
}

/**
 * Text of which few values repeat. `id` must differ between the dictionaries of one file: it is written into the
 * bytes, so it is given, not drawn from apache-arrow's counter.
 */
export function dictionaryColumn(name: string, values: readonly string[], id: number): Column {
  const distinct = [...new Set(values)].sort();
  const rank = new Map(distinct.map((value, i) => [value, i]));
  const type = new Dictionary(new Utf8(), new Int32(), id);
  const data = makeData({
    type,
    length: values.length,
    nullCount: 0,
    data: Int32Array.from(values, (value) => rank.get(value)!),
    dictionary: new Vector([textData(distinct)]),
  });
  return { field: new Field(name, type, false), data: data as Data };
}

/** The IPC file of some columns of `rows` rows each, in the given order. */
export function encodeArrow(
  columns: readonly Column[],
  rows: number,
  metadata: Readonly<Record<string, string>>,
) {
  const schema = new Schema(columns.map((column) => column.field), new Map(Object.entries(metadata)));
  const type = new Struct(schema.fields);
  const data = makeData({
    type,
    length: rows,
    nullCount: 0,
    children: columns.map((column) => column.data) as Data<DataType>[],
  });
  return tableToIPC(new Table(schema, [new RecordBatch(schema, data as Data<Struct>)]), "file");
}

/**
 * Opens an IPC file (or stream).
 *
 * @throws {SyntaxError} when the bytes are not Arrow IPC
 */
export function decodeArrow(bytes: Uint8Array): Table {
  try {
    return tableFromIPC(bytes);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${bytes.length} bytes as an Arrow IPC file: they must be whole`, {
      cause,
    });
  }
}

/** A column as one flat array (nulls as whatever lies there), its row shape, and which rows hold values. */
export interface Decoded {
  /** Elements of all rows, row after row. */
  readonly values: Elements | string[] | boolean[];
  /** Shape of a row; [] for one number, text or truth value. */
  readonly inner: readonly number[];
  /** Whether each row holds a value. */
  readonly valid: readonly boolean[];
}

/**
 * Reads a column whose type is one of those written above.
 *
 * @throws {TypeError} when the column is missing or of another type
 */
export function decodeColumn(table: Table, name: string): Decoded {
  const vector = table.getChild(name);
  const field = table.schema.fields.find((f) => f.name === name);
  if (!vector || !field) {
    throw new TypeError(
      `Cannot read column "${name}": the table has ${table.schema.fields.map((f) => f.name).join(", ")}`,
    );
  }
  const valid = Array.from(
    { length: vector.length },
    (_, row) => vector.nullCount === 0 || vector.isValid(row),
  );
  const { type } = vector;
  if (type.typeId === Type.Bool) return { values: [...vector].map(Boolean), inner: [], valid };
  if (
    type.typeId === Type.Utf8 || (type.typeId === Type.Dictionary && type.dictionary.typeId === Type.Utf8)
  ) {
    return { values: [...vector] as string[], inner: [], valid };
  }
  if (type.typeId === Type.FixedSizeList) {
    const width: number = type.listSize;
    const parts = vector.data.map((data) => numbers(data.children[0]!, name, data.length * width));
    const extension = field.metadata.get("ARROW:extension:metadata");
    const inner: number[] = extension ? JSON.parse(extension).shape : [width];
    return { values: join(parts), inner, valid };
  }
  return { values: join(vector.data.map((data) => numbers(data, name, data.length))), inner: [], valid };
}

function numbers(data: Data, name: string, length: number): Elements {
  const values: unknown = data.values;
  for (const [Values] of scalarTypes) {
    if (values instanceof Values && data.typeId !== Type.Bool && data.typeId !== Type.Utf8) {
      return new Values(values.subarray(0, length));
    }
  }
  throw new TypeError(
    `Cannot read column "${name}" of type ${data.type}: it must be float32, float64, int32 or uint8`,
  );
}

function join(parts: readonly Elements[]): Elements {
  if (parts.length === 1) return parts[0]!;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = parts.length === 0
    ? new Float32Array()
    : new (parts[0]!.constructor as new (n: number) => Elements)(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
