/** What a pool and its workers share: the layout of their memory, and their messages. */
import type { InitialState } from "./environment.ts";
import { stepSize } from "./flat_step.ts";

/** Most movable objects of a task that a pool can carry. */
const maxObjects = 8;
/** Numbers in an action. */
export const actionSize = 7;

/** Indices of the control words. The two counters are waited on; both sides count steps from 0. */
export const requested = 0, finished = 1, failed = 2, firstActive = 3;

/** One worker's memory: control words and a flag per lane, then per lane an action and a flat step. */
export interface SharedLanes {
  /** Counters, then whether each lane takes part in the step. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** By lane, [7]. */
  readonly actions: readonly Float32Array[];
  /** By lane, as {@link stepSize} and writeStep lay them out. */
  readonly steps: readonly Float64Array[];
}

/** Bytes of {@link SharedLanes} for so many lanes. */
export function sharedBytes(lanes: number): number {
  return lanes * stepSize(maxObjects) * 8 + lanes * actionSize * 4 + (firstActive + lanes) * 4;
}

/** The views of both sides on one buffer of {@link sharedBytes}. */
export function sharedLanes(buffer: SharedArrayBuffer, lanes: number): SharedLanes {
  const step = stepSize(maxObjects),
    actionsAt = lanes * step * 8,
    controlAt = actionsAt + lanes * actionSize * 4;
  return {
    steps: Array.from({ length: lanes }, (_, i) => new Float64Array(buffer, i * step * 8, step)),
    actions: Array.from(
      { length: lanes },
      (_, i) => new Float32Array(buffer, actionsAt + i * actionSize * 4, actionSize),
    ),
    control: new Int32Array(buffer, controlAt, firstActive + lanes),
  };
}

/** From the pool. Steps go through shared memory instead: a message each would cost a tenth of the time. */
export type Request =
  | {
    readonly kind: "open";
    readonly suite: "tabletop";
    readonly buffer: SharedArrayBuffer;
    readonly lanes: number;
  }
  | {
    readonly kind: "reset";
    /** The lane's place among this worker's lanes. */
    readonly slot: number;
    readonly task: string;
    readonly state: InitialState;
    /** Actions to take after the reset, [n * 7]. */
    readonly replay: Float32Array;
  };

/** From a worker: a reset is done (its observation lies in the lane's memory), or a request or step failed. */
export type Reply =
  | { readonly kind: "opened" }
  | { readonly kind: "reset"; readonly slot: number; readonly objects: readonly string[] }
  | { readonly kind: "error"; readonly slot: number; readonly message: string };
