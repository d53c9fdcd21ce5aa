/**
 * The initial noise that steers a chunk policy: w holds R rows of A numbers, from which every row of a chunk of H is
 * made. One row repeated over the chunk is what the public code does; H rows are the base's own noise space; R knots
 * between them are interpolated linearly along the chunk.
 */
import { matMul, reshape, slice, type Tensor, tile } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { constant } from "../engine/trace.ts";

/** How many rows w has, and how they fill a chunk. */
export const steeringNoise = z.strictObject({
  shape: z.enum(["repeated", "full", "knots"]).default("repeated").describe(
    "One row repeated over the chunk, one row for each action of the chunk, or rows interpolated along it",
  ),
  rows: z.int().min(1).nullable().default(null).describe(
    "Rows of w; null: 1 repeated, the chunk's horizon in full, 2 knots",
  ),
});
/** Parsed form of the noise. */
export type SteeringNoise = z.output<typeof steeringNoise>;

/**
 * Rows R of w for chunks of `horizon` actions.
 *
 * @throws {RangeError} when the number of rows does not fit the shape and the horizon
 */
export function noiseRows({ shape, rows }: SteeringNoise, horizon: number): number {
  const refuse = (wanted: string) =>
    new RangeError(
      `Cannot steer chunks of ${horizon} actions with ${rows} rows of ${shape} noise: it must be ${wanted}`,
    );
  switch (shape) {
    case "repeated":
      if (rows !== null && rows !== 1) throw refuse("1 row");
      return 1;
    case "full":
      if (rows !== null && rows !== horizon) throw refuse(`the ${horizon} rows of the horizon`);
      return horizon;
    case "knots": {
      const knots = rows ?? 2;
      if (knots < 2 || knots > horizon) throw refuse(`2 ... ${horizon} rows`);
      return knots;
    }
  }
}

/**
 * Checks a steering before anything runs.
 *
 * @throws {RangeError} when the rows do not fit, or more actions are executed of a chunk than it has
 */
export function assertSteering(
  { noise, horizon, execute }: { noise: SteeringNoise; horizon: number; execute: number },
): void {
  noiseRows(noise, horizon);
  if (execute > horizon) {
    throw new RangeError(
      `Cannot query every ${execute} steps for chunks of ${horizon} actions: it must be 1 ... ${horizon}`,
    );
  }
}

/** Where row `h` of the chunk lies among the rows of w: between `lower` and the next one, `fraction` of the way. */
function place(h: number, rows: number, horizon: number): { lower: number; fraction: number } {
  const position = rows === 1 ? 0 : h * (rows - 1) / (horizon - 1);
  const lower = Math.floor(position);
  return { lower, fraction: position - lower };
}

/** Writes the chunk noise [H, A] of one w [R A] to `out`. Rows that need no interpolation are copied bit for bit. */
export function spread(w: Float32Array, rows: number, horizon: number, out: Float32Array): void {
  const width = w.length / rows;
  for (let h = 0; h < horizon; h++) {
    const { lower, fraction } = place(h, rows, horizon);
    for (let a = 0; a < width; a++) {
      const from = w[lower * width + a]!;
      out[h * width + a] = fraction === 0
        ? from
        : (1 - fraction) * from + fraction * w[(lower + 1) * width + a]!;
    }
  }
}

/** The same for a batch in a traced program: w [B, R A] → [B, H, A]. */
export function chunkNoise(w: Tensor, rows: number, horizon: number): Tensor {
  const [batch, numbers] = w.shape as [number, number];
  const width = numbers / rows;
  const knots = reshape(w, [batch, rows, width]);
  if (rows === horizon) return knots;
  if (rows === 1) return tile(knots, [1, horizon, 1]);
  const mix = new Float32Array(horizon * rows);
  for (let h = 0; h < horizon; h++) {
    const { lower, fraction } = place(h, rows, horizon);
    mix[h * rows + lower] = 1 - fraction;
    if (fraction > 0) mix[h * rows + lower + 1] = fraction;
  }
  return matMul(tile(constant({ shape: [1, horizon, rows], data: mix }), [batch, 1, 1]), knots);
}

/** The first `execute` actions of chunks, flat: [B, H, A] → [B, execute A]. */
export function executedPart(chunks: Tensor, execute: number): Tensor {
  const [batch, , width] = chunks.shape as [number, number, number];
  return reshape(slice(chunks, [0, 0, 0], [batch, execute, width]), [batch, execute * width]);
}
