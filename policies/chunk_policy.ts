/** What acting needs of a policy that answers with chunks of actions, whatever it is made of. */
import type { NDArray } from "../ndarray.ts";
import type { Stream } from "../random.ts";

/** A policy opened for a fixed number of rows, one an environment lane. */
export interface ChunkPolicy extends AsyncDisposable {
  /** Rows B of every call. */
  readonly batch: number;
  /** Numbers a row sees. */
  readonly sizes: { readonly features: number };
  /** Actions H of a chunk. */
  readonly horizon: number;
  /** Actions of a chunk that are executed before the next is drawn. */
  readonly execute: number;
  /** Fills one row's noise, [H, A] flat; a policy without it takes N(0, I). */
  drawNoise?(draws: Stream, noise: Float32Array): void;
  /** One chunk a row: features [B, F] in physical units, noise [B, H, A] → actions [B, H, A]. */
  sample(features: NDArray, noise: NDArray): Promise<NDArray>;
}
