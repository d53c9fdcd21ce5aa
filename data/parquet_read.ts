/** Parquet files, read by rows and columns; every failure is one line that names the file. */
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaTree,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import type { ParquetScalar } from "./parquet_write.ts";

/** Bytes that are read in parts: a file, or a piece of memory. */
export type Slices = AsyncBuffer;

/** What a column holds; `undefined` scalar for what no data set uses (dates, decimals, maps, other structs). */
export interface ParquetColumn {
  /** Its name. */
  readonly name: string;
  /** What its innermost values are. */
  readonly scalar: ParquetScalar | undefined;
  /** Lists around a value. */
  readonly lists: number;
}

/** The bytes of a file in memory. */
export function inMemory(bytes: Uint8Array): Slices {
  return {
    byteLength: bytes.length,
    slice: (start, end) => bytes.slice(start, end).buffer,
  };
}

/** An open file. */
export class ParquetFile {
  /** Its columns in order. */
  readonly columns: readonly ParquetColumn[];
  /** Rows of all groups. */
  readonly rows: number;
  /** Rows of each row group. */
  readonly groups: readonly number[];
  /** Its key-value entries. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: Slices;
  readonly #footer: FileMetaData;
  readonly #where: string;

  private constructor(file: Slices, footer: FileMetaData, where: string) {
    this.#file = file;
    this.#footer = footer;
    this.#where = where;
    this.rows = Number(footer.num_rows);
    this.groups = footer.row_groups.map(({ num_rows }) => Number(num_rows));
    this.metadata = Object.fromEntries(
      (footer.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? ""]),
    );
    this.columns = parquetSchema(footer).children.map(columnOf);
  }

  /**
   * Reads a file's footer; `where` is how errors call the file.
   *
   * @throws {SyntaxError} when the file is cut off or no Parquet
   */
  static async open(file: Slices, where: string): Promise<ParquetFile> {
    try {
      if (file.byteLength < 12) throw new Error(`it has ${file.byteLength} bytes`);
      const footer = await parquetMetadataAsync(file);
      return new ParquetFile(file, footer, where);
    } catch (cause) {
      throw new SyntaxError(
        `Cannot read ${where} as Parquet: it must be a whole file with its footer (${reason(cause)})`,
        { cause },
      );
    }
  }

  /**
   * Rows `from` ... `to` - 1 of some columns, by column: numbers, bigints for 64-bit integers, text, bytes, nested
   * arrays for lists, null where nothing is.
   *
   * @throws {SyntaxError} when a column is missing or its bytes cannot be decoded
   */
  async read<N extends string>(
    names: readonly N[],
    from = 0,
    to = this.rows,
  ): Promise<Record<N, unknown[]>> {
    for (const name of names) {
      if (!this.columns.some((column) => column.name === name)) {
        const all = this.columns.map((column) => column.name).join(", ");
        throw new SyntaxError(`Cannot read column "${name}" of ${this.#where}: its columns are ${all}`);
      }
    }
    const columns = Object.fromEntries(names.map((name) => [name, [] as unknown[]])) as Record<N, unknown[]>;
    if (names.length === 0 || from >= to) return columns;
    try {
      const rows = await parquetReadObjects({
        file: this.#file,
        metadata: this.#footer,
        columns: [...names],
        rowStart: from,
        rowEnd: to,
        compressors,
        utf8: false,
      });
      if (rows.length !== to - from) throw new Error(`${rows.length} rows came`);
      for (const name of names) columns[name] = rows.map((row) => row[name] ?? null);
      return columns;
    } catch (cause) {
      throw new SyntaxError(
        `Cannot read rows ${from} ... ${to - 1} of ${this.#where}: its pages must be whole (${
          reason(cause)
        })`,
        { cause },
      );
    }
  }
}

const reason = (cause: unknown) => cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);

function columnOf(tree: SchemaTree): ParquetColumn {
  const { name } = tree.element;
  let lists = 0, inner = tree;
  while (inner.element.converted_type === "LIST" || inner.element.logical_type?.type === "LIST") {
    // Three levels (pyarrow) or two (older writers).
    const repeated = inner.children[0];
    if (!repeated) break;
    inner = repeated.children.length === 1 ? repeated.children[0]! : repeated;
    lists++;
  }
  return { name, scalar: scalarOf(inner), lists };
}

function scalarOf({ element, children }: SchemaTree): ParquetScalar | undefined {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (children.length > 0) {
    const names = children.map((child) => child.element.name).sort().join();
    return names === "bytes,path" ? "image" : undefined;
  }
  const integer = logical?.type === "INTEGER"
    ? `${logical.isSigned ? "int" : "uint"}${logical.bitWidth}`
    : converted?.match(/^U?INT_(8|16|32|64)$/) && converted.toLowerCase().replace("_", "");
  switch (type) {
    case "BOOLEAN":
      return "bool";
    case "INT32":
    case "INT64":
      if (integer) return integer as ParquetScalar;
      return converted || logical ? undefined : type === "INT32" ? "int32" : "int64";
    case "FLOAT":
      return "float32";
    case "DOUBLE":
      return "float64";
    case "BYTE_ARRAY":
      return converted === "UTF8" || logical?.type === "STRING" ? "string" : undefined;
    default:
      return undefined;
  }
}
