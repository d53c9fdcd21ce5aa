/**
 * Parquet files, written one row group at a time: numbers, truth values, text, lists of them, and embedded images. The
 * library is pinned and given every choice (codec, pages, row groups, encodings), so that equal content gives equal bytes.
 */
import type { SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter as Writer } from "hyparquet-writer";

/** What a value is: NumPy's names, text, bytes, or an image as Hugging Face's libraries embed it. */
export type ParquetScalar =
  | "bool"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float32"
  | "float64"
  | "string"
  | "image";

/** A column of a file to be written. */
export interface ParquetField {
  /** Its name; slashes and dots have no meaning. */
  readonly name: string;
  /** What its innermost values are. */
  readonly scalar: ParquetScalar;
  /** Lists around a value: 0 for plain values. */
  readonly lists: number;
}

/** An embedded image: struct of the encoded bytes and a file name. */
export interface EmbeddedImage {
  /** The encoded image, e.g. PNG. */
  readonly bytes: Uint8Array;
  /** A name for it. */
  readonly path: string;
}

const physical: Readonly<Record<Exclude<ParquetScalar, "image">, Omit<SchemaElement, "name">>> = {
  bool: { type: "BOOLEAN" },
  int8: { type: "INT32", converted_type: "INT_8" },
  int16: { type: "INT32", converted_type: "INT_16" },
  int32: { type: "INT32" },
  int64: { type: "INT64" },
  uint8: { type: "INT32", converted_type: "UINT_8" },
  uint16: { type: "INT32", converted_type: "UINT_16" },
  uint32: { type: "INT32", converted_type: "UINT_32" },
  uint64: { type: "INT64", converted_type: "UINT_64" },
  float32: { type: "FLOAT" },
  float64: { type: "DOUBLE" },
  string: { type: "BYTE_ARRAY", converted_type: "UTF8" },
};

/** Three elements a list, named as pyarrow names them. */
function elements({ name, scalar, lists }: ParquetField): SchemaElement[] {
  const repetition_type = "OPTIONAL";
  if (lists > 0) {
    return [
      { name, repetition_type, converted_type: "LIST", num_children: 1 },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      ...elements({ name: "element", scalar, lists: lists - 1 }),
    ];
  }
  if (scalar !== "image") return [{ name, repetition_type, ...physical[scalar] }];
  return [
    { name, repetition_type, num_children: 2 },
    { name: "bytes", repetition_type, type: "BYTE_ARRAY" },
    { name: "path", repetition_type, ...physical.string },
  ];
}

/** Rows of a column: arrays nested as deep as the field's lists; bigint for 64-bit integers. */
export type ParquetRows = ArrayLike<unknown>;

/** A file under construction. */
export class ParquetWriter {
  readonly #fields: readonly ParquetField[];
  readonly #bytes = new ByteWriter();
  readonly #writer: Writer;

  /** Starts a file of some columns; `metadata` are its key-value entries. */
  constructor(fields: readonly ParquetField[], metadata: Readonly<Record<string, string>> = {}) {
    this.#fields = fields;
    const schema = [{ name: "schema", num_children: fields.length }, ...fields.flatMap(elements)];
    const kvMetadata = Object.entries(metadata).map(([key, value]) => ({ key, value }));
    this.#writer = new Writer({
      writer: this.#bytes,
      schema,
      codec: "SNAPPY",
      createdBy: "uplift",
      ...(kvMetadata.length > 0 ? { kvMetadata } : {}),
    });
  }

  /** Bytes so far. */
  get size(): number {
    return this.#bytes.offset;
  }

  /**
   * Adds one row group.
   *
   * @throws {RangeError} when a column is missing or columns differ in length
   */
  write(columns: Readonly<Record<string, ParquetRows>>): void {
    const rows = columns[this.#fields[0]!.name]?.length;
    const columnData = this.#fields.map(({ name, scalar }) => {
      const values = columns[name];
      if (values?.length !== rows || !values) {
        throw new RangeError(
          `Cannot write column "${name}" of ${values?.length ?? "no"} rows: all columns must have ${rows}`,
        );
      }
      // Pictures are compressed already, and too long for dictionaries or statistics.
      const embedded = scalar === "image"
        ? { codec: "UNCOMPRESSED" as const, encoding: "PLAIN" as const, statistics: false }
        : {};
      return { name, data: Array.from(values), offsetIndex: false, ...embedded };
    });
    this.#writer.write({
      columnData,
      rowGroupSize: Math.max(1, rows!),
      pageSize: 1 << 20,
    });
  }

  /** Ends the file and returns it. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#writer.finish();
    return new Uint8Array(this.#bytes.getBuffer());
  }
}

/** A whole file of one row group. */
export function encodeParquet(
  fields: readonly ParquetField[],
  columns: Readonly<Record<string, ParquetRows>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const writer = new ParquetWriter(fields, metadata);
  writer.write(columns);
  return writer.finish();
}
