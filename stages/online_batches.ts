/** Batches of the online phase: half of each from offline data, half from the learner's own episodes (RLPD). */
import type { Replay } from "../data/replay.ts";
import type { Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";

const ROWS = [
  "state",
  "frames",
  "base",
  "action",
  "reward",
  "terminated",
  "nextState",
  "nextFrames",
  "nextBase",
];

/** What minibatches are drawn from. */
export type Drawn = Pick<Replay, "sample">;

/**
 * Iterations of one learner call and the environment steps between two calls that give `updatesPerStep`.
 *
 * @throws {Error} when the steps between two calls are no whole number of rounds over all lanes
 */
export function batchSizes(
  { iterations, criticUpdates, updatesPerStep, lanes }: {
    iterations: number;
    criticUpdates: number;
    updatesPerStep: number;
    lanes: number;
  },
): { iterations: number; interval: number } {
  const interval = (iterations * criticUpdates) / updatesPerStep;
  if (!Number.isInteger(interval) || interval % lanes !== 0) {
    throw new Error(
      `Cannot make ${updatesPerStep} updates for each environment step in calls of ${iterations} x ${criticUpdates}: ` +
        `that is a call every ${interval} steps, which must be a multiple of the ${lanes} lanes`,
    );
  }
  return { iterations, interval };
}

/**
 * Fills the transition columns of `batches`, [K, U, B, ...]: in each of the K U minibatches the first rows are
 * offline, `offlineFraction` of B rounded, the rest online. Columns that the batches lack are left out.
 */
export function fillHalves(
  batches: Tensors,
  { offline, online, draw, batch, offlineFraction }: {
    offline: Drawn;
    online: Drawn;
    draw: Stream;
    batch: number;
    offlineFraction: number;
  },
): void {
  const columns = Object.fromEntries(
    ROWS.filter((name) => batches[name]).map((name) => [name, batches[name]!]),
  );
  const minibatches = columns.reward!.data.length / batch;
  const first = Math.round(offlineFraction * batch);
  for (let i = 0; i < minibatches; i++) {
    if (first > 0) offline.sample(draw, columns, i * batch, first);
    if (first < batch) online.sample(draw, columns, i * batch + first, batch - first);
  }
}
