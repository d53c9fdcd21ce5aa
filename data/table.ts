/** Tables of named columns in Arrow IPC files: metrics over steps, evaluations by episode. */
import type { Elements } from "../ndarray.ts";
import { type Column, decodeArrow, decodeColumn, encodeArrow, numericColumn, textColumn } from "./arrow.ts";

/** Columns of equal length, in reading order: numbers as typed arrays, text as string arrays. */
export type Columns = Readonly<Record<string, Elements | readonly string[]>>;

/**
 * Writes a table as an Arrow IPC file; equal columns give equal bytes.
 *
 * @throws {RangeError} when columns differ in length, or there is none
 * @throws {TypeError} when a column is neither a typed array of numbers nor text
 */
export function encodeTable(columns: Columns, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const names = Object.keys(columns);
  if (names.length === 0) throw new RangeError("Cannot write a table without columns: give at least one");
  const rows = columns[names[0]!]!.length;
  const written = names.map((name): Column => {
    const values = columns[name]!;
    if (values.length !== rows) {
      throw new RangeError(
        `Cannot write column "${name}" of ${values.length} rows: "${
          names[0]
        }" has ${rows}, all must be equal`,
      );
    }
    if (!Array.isArray(values)) return numericColumn(name, values as Elements);
    const bad = values.findIndex((value) => typeof value !== "string");
    if (bad >= 0) {
      throw new TypeError(
        `Cannot write ${
          values[bad]
        } in row ${bad} of column "${name}": an array holds text, numbers go in typed arrays`,
      );
    }
    return textColumn(name, values);
  });
  return encodeArrow(written, rows, metadata);
}

/**
 * Reads a table; columns keep their order. Arrow booleans come as 0/1 in a Uint8Array.
 *
 * @throws {SyntaxError} when the bytes are not an Arrow IPC file
 * @throws {TypeError} when a column holds nulls or lists
 */
export function decodeTable(bytes: Uint8Array): Record<string, Elements | string[]> {
  const table = decodeArrow(bytes);
  return Object.fromEntries(table.schema.fields.map(({ name }) => {
    const { values, inner, valid } = decodeColumn(table, name);
    if (inner.length > 0) {
      throw new TypeError(`Cannot read column "${name}" of lists: a table holds numbers and text`);
    }
    const missing = valid.indexOf(false);
    if (missing >= 0) {
      throw new TypeError(`Cannot read column "${name}": row ${missing} is null, all rows must be set`);
    }
    if (Array.isArray(values) && typeof values[0] === "boolean") {
      return [name, Uint8Array.from(values, Number)];
    }
    return [name, values as Elements | string[]];
  }));
}

/**
 * The numbers of a column.
 *
 * @throws {TypeError} when the column is missing or text
 */
export function numbers(table: Columns, name: string): Elements {
  const column = find(table, name);
  if (Array.isArray(column)) throw new TypeError(`Cannot read text column "${name}" as numbers`);
  return column as Elements;
}

/**
 * The strings of a column.
 *
 * @throws {TypeError} when the column is missing or numeric
 */
export function strings(table: Columns, name: string): readonly string[] {
  const column = find(table, name);
  if (!Array.isArray(column)) throw new TypeError(`Cannot read numeric column "${name}" as text`);
  return column;
}

function find(table: Columns, name: string) {
  const column = table[name];
  if (column) return column;
  throw new TypeError(`Cannot read column "${name}": the table has ${Object.keys(table).join(", ")}`);
}
