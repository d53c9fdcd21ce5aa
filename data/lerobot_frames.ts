/** Frames of a LeRobot data set in memory, feature by feature, and on their way from and to Parquet columns. */
import { type Feature, isNumeric } from "./lerobot_info.ts";
import type { EmbeddedImage, ParquetField, ParquetScalar } from "./parquet_write.ts";

/** One feature over the T frames of an episode. */
export type FrameColumn =
  | NumberColumn
  | { readonly kind: "text"; readonly values: readonly string[] }
  | { readonly kind: "images"; readonly values: readonly EmbeddedImage[] };

/** Numbers (or truth values as 0 and 1), [T, ...shape]. */
export interface NumberColumn {
  /** Tells it from text and images. */
  readonly kind: "numbers";
  /** Shape of a frame's value; [1] for one number. */
  readonly shape: readonly number[];
  /** All frames one after another; double precision holds every type but integers beyond 2^53. */
  readonly values: Float64Array;
}

/** Features of an episode's frames by name. */
export type Frames = Readonly<Record<string, FrameColumn>>;

/** Where a column came from, for errors. */
export interface Origin {
  /** The file's path in the data set. */
  readonly file: string;
  /** Row of the file that the column starts in. */
  readonly row: number;
  /** Lets NaN and infinities pass; refused otherwise. */
  readonly anyNumber?: boolean;
}

/** Numbers of a frame. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/**
 * What Parquet rows hold, as the feature says it should be.
 *
 * @throws {SyntaxError} when a row is empty, of another shape or type, or not finite; names file, row and column
 */
export function decodeFrames(
  name: string,
  feature: Feature,
  rows: readonly unknown[],
  { file, row: first, anyNumber = false }: Origin,
): FrameColumn {
  const refuse = (row: number, wanted: string): never => {
    throw new SyntaxError(`Cannot read column "${name}" of ${file}, row ${first + row}: ${wanted}`);
  };
  if (feature.dtype === "string") {
    const values = rows.map((value, row) =>
      typeof value === "string" ? value : refuse(row, "it must be text")
    );
    return { kind: "text", values };
  }
  if (feature.dtype === "image") {
    const values = rows.map((value, row): EmbeddedImage => {
      const { bytes, path } = (value ?? {}) as { bytes?: unknown; path?: unknown };
      if (!(bytes instanceof Uint8Array)) return refuse(row, "the picture must be embedded, not only named");
      return { bytes, path: typeof path === "string" ? path : "" };
    });
    return { kind: "images", values };
  }
  if (!isNumeric(feature)) {
    throw new SyntaxError(
      `Cannot read column "${name}" of ${file}: features of type ${feature.dtype} have none`,
    );
  }
  const { shape } = feature, width = sizeOf(shape);
  const values = new Float64Array(rows.length * width);
  rows.forEach((value, row) => {
    const numbers = width === 1 && !Array.isArray(value) ? [value] : flat(value);
    if (numbers === undefined) return refuse(row, `it holds nothing, its feature has shape [${shape}]`);
    if (numbers.length !== width) {
      refuse(row, `it has ${numbers.length} numbers, its feature has shape [${shape}]`);
    }
    numbers.forEach((entry, i) => {
      const number = typeof entry === "bigint" || typeof entry === "boolean" ? Number(entry) : entry;
      if (typeof number !== "number") return refuse(row, `${entry} must be a number`);
      if (!anyNumber && !Number.isFinite(number)) refuse(row, `${number} must be a finite number`);
      if (typeof entry === "bigint" && !Number.isSafeInteger(number)) {
        refuse(row, `${entry} must be an integer below 2^53`);
      }
      values[row * width + i] = number;
    });
  });
  return { kind: "numbers", shape, values };
}

function flat(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value.flat(Infinity);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  return undefined;
}

/** The Parquet column of a feature; none for videos, nor for LeRobot's nested records of language. */
export function fieldOf(name: string, { dtype, shape }: Feature): ParquetField | undefined {
  if (dtype === "video" || dtype === "language") return undefined;
  const single = shape.length === 1 && shape[0] === 1;
  const lists = dtype === "image" || dtype === "string" || single ? 0 : shape.length;
  return { name, scalar: dtype as ParquetScalar, lists };
}

/**
 * Parquet rows of a column.
 *
 * @throws {RangeError} when the column is not what its feature says, or a number does not fit its type
 */
export function encodeFrames(name: string, feature: Feature, column: FrameColumn): unknown[] {
  const { dtype, shape } = feature;
  const wanted = dtype === "image" ? "images" : dtype === "string" ? "text" : "numbers";
  if (column.kind !== wanted) {
    throw new RangeError(
      `Cannot write "${name}" from ${column.kind}: its feature of type ${dtype} takes ${wanted}`,
    );
  }
  if (column.kind !== "numbers") return [...column.values];
  const width = sizeOf(shape);
  if (column.shape.join() !== shape.join() || column.values.length % width !== 0) {
    throw new RangeError(
      `Cannot write "${name}" with frames of shape [${column.shape}]: its feature has shape [${shape}]`,
    );
  }
  const convert = converter(name, dtype);
  const frames = column.values.length / width;
  return Array.from({ length: frames }, (_, t) => {
    const row = Array.from(column.values.subarray(t * width, (t + 1) * width), convert);
    return shape.length === 1 && width === 1 ? row[0] : nest(row, shape);
  });
}

function nest(values: readonly unknown[], shape: readonly number[]): unknown {
  if (shape.length === 1) return values;
  const inner = shape.slice(1), step = sizeOf(inner);
  return Array.from({ length: shape[0]! }, (_, i) => nest(values.slice(i * step, (i + 1) * step), inner));
}

function converter(name: string, dtype: string): (value: number) => unknown {
  if (dtype === "bool") return (value) => value !== 0;
  if (dtype === "float32") return Math.fround;
  if (dtype === "float64") return (value) => value;
  const bits = Number(dtype.replace(/\D/g, "")), unsigned = dtype.startsWith("u");
  const low = unsigned ? 0 : -(2 ** (bits - 1)), high = 2 ** (unsigned ? bits : bits - 1);
  return (value) => {
    if (!Number.isSafeInteger(value) || value < low || value >= high) {
      throw new RangeError(`Cannot write ${value} to "${name}": it must be an integer that fits ${dtype}`);
    }
    return bits === 64 ? BigInt(value) : value;
  };
}
