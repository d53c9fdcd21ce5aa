/**
 * Normalisation of vectors, fitted on training data only: normalised = (x - center) / scale per dimension, clipped to
 * ±clip where one is set. Two kinds differ in what center and scale are.
 */
import type { NDArray } from "../ndarray.ts";
import { quantile } from "./quantile.ts";

/** Statistics of D dimensions, as stored in JSON. */
export interface Normalization {
  /** "z-score": mean and standard deviation. "quantile": the 1 % and 99 % quantiles go to -1 and 1 (as in pi0-FAST). */
  readonly kind: "z-score" | "quantile";
  /** Rows the statistics were taken from. */
  readonly n: number;
  /** What is subtracted, [D]: the mean, or the middle between the two quantiles. */
  readonly center: readonly number[];
  /** Positive: never below the floor it was fitted with. */
  readonly scale: readonly number[];
  /** Bound on the absolute normalised value; null for none. */
  readonly clip: number | null;
}

/** How to fit; `floor` keeps a (nearly) constant dimension from being blown up, in units of x. */
export interface FitOptions {
  /** Which statistics become center and scale. */
  readonly kind: Normalization["kind"];
  /** Least scale, positive: one for all dimensions, or one each [D]. */
  readonly floor: number | readonly number[];
  /** Bound on the absolute normalised value; none by default. */
  readonly clip?: number;
}

/**
 * Statistics of rows [N, D], in double precision; the standard deviation divides by N, as NumPy's does.
 *
 * @throws {RangeError} when the rows are not a matrix, hold no row or a number that is not finite, or the floor is
 * not positive
 */
export function fit(rows: NDArray, { kind, floor, clip }: FitOptions): Normalization {
  const [n, dimensions] = rows.shape;
  if (rows.shape.length !== 2 || !n || !dimensions) {
    throw new RangeError(
      `Cannot fit a normalization on shape [${rows.shape}]: it must be [N, D] with N, D >= 1`,
    );
  }
  const center: number[] = [];
  const scale: number[] = [];
  const column = new Float64Array(n);
  for (let d = 0; d < dimensions; d++) {
    for (let i = 0; i < n; i++) column[i] = rows.data[i * dimensions + d]!;
    const bad = column.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) {
      throw new RangeError(
        `Cannot fit a normalization on ${column[bad]} in row ${bad}, dimension ${d}: it must be finite`,
      );
    }
    const least = typeof floor === "number" ? floor : floor[d];
    if (!(least! > 0)) {
      throw new RangeError(`Cannot fit dimension ${d} with floor ${least}: it must be positive`);
    }
    const [middle, spread] = kind === "z-score" ? moments(column) : quantiles(column);
    center.push(middle);
    scale.push(Math.max(spread, least!));
  }
  return { kind, n, center, scale, clip: clip ?? null };
}

function moments(column: Float64Array): [number, number] {
  const mean = column.reduce((sum, x) => sum + x, 0) / column.length;
  const variance = column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / column.length;
  return [mean, Math.sqrt(variance)];
}

function quantiles(column: Float64Array): [number, number] {
  const sorted = column.toSorted();
  const [low, high] = [quantile(sorted, 0.01), quantile(sorted, 0.99)];
  return [(low + high) / 2, (high - low) / 2];
}

/**
 * (x - center) / scale over the last axis, clipped.
 *
 * @throws {RangeError} when the last axis is not D long
 */
export function normalize(normalization: Normalization, x: NDArray): NDArray {
  const { center, scale, clip } = normalization;
  const bound = clip ?? Infinity;
  return map(
    normalization,
    x,
    (value, d) => Math.max(-bound, Math.min(bound, (value - center[d]!) / scale[d]!)),
  );
}

/**
 * x · scale + center over the last axis: the inverse, except for what was clipped.
 *
 * @throws {RangeError} when the last axis is not D long
 */
export function denormalize(normalization: Normalization, x: NDArray): NDArray {
  const { center, scale } = normalization;
  return map(normalization, x, (value, d) => value * scale[d]! + center[d]!);
}

function map(
  { center }: Normalization,
  x: NDArray,
  f: (value: number, dimension: number) => number,
): NDArray {
  const dimensions = center.length;
  if (x.shape.at(-1) !== dimensions) {
    throw new RangeError(
      `Cannot normalize shape [${x.shape}]: its last axis must have ${dimensions} dimensions`,
    );
  }
  const data = new Float32Array(x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = f(x.data[i]!, i % dimensions);
  return { shape: x.shape, data };
}

/** Named normalisations (state, action, ...) as JSON bytes, names sorted, numbers exact. */
export function encodeNormalizations(normalizations: Readonly<Record<string, Normalization>>): Uint8Array {
  const sorted = Object.entries(normalizations).sort(([a], [b]) => a < b ? -1 : 1).map((
    [name, { kind, n, center, scale, clip }],
  ) => [name, { kind, n, center, scale, clip }]);
  return new TextEncoder().encode(JSON.stringify(Object.fromEntries(sorted), null, 2) + "\n");
}

/**
 * Reads what encodeNormalizations wrote.
 *
 * @throws {SyntaxError} when the bytes are not JSON, or an entry lacks a field or has an impossible one
 */
export function decodeNormalizations(bytes: Uint8Array): Record<string, Normalization> {
  const parsed: Record<string, Normalization> = JSON.parse(new TextDecoder().decode(bytes));
  for (const [name, { kind, n, center, scale, clip }] of Object.entries(parsed)) {
    const finite = (list: unknown): list is number[] => Array.isArray(list) && list.every(Number.isFinite);
    if (
      (kind !== "z-score" && kind !== "quantile") || !Number.isInteger(n) || !finite(center) ||
      !finite(scale) ||
      center.length !== scale.length || !scale.every((s) => s > 0) || !(clip === null || clip > 0)
    ) {
      throw new SyntaxError(
        `Cannot read normalization "${name}": it must have kind, n, equally long center and positive scale, and clip`,
      );
    }
  }
  return parsed;
}
