/** What a pool and its workers share: the layout of their memory, and their messages. */
import type { CameraSettings, InitialState, Step } from "./environment.ts";
import { stepSize } from "./flat_step.ts";

/** Most movable objects of a task that a pool can carry. */
const maxObjects = 8;
/** Numbers in an action. */
export const actionSize = 7;

/** Indices of the control words. The two counters are waited on; both sides count steps from 0. */
export const requested = 0, finished = 1, failed = 2, firstActive = 3;

/** One worker's memory: per lane a flat step and an action, control words and a flag per lane, then the images. */
export interface SharedLanes {
  /** Counters, then whether each lane takes part in the step. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** By lane, [7]. */
  readonly actions: readonly Float32Array[];
  /** By lane, as {@link stepSize} and writeStep lay them out. */
  readonly steps: readonly Float64Array[];
  /** By lane and camera, [height * width * 3]. */
  readonly images: readonly (readonly Uint8Array[])[];
}

const imageBytes = ({ width, height }: CameraSettings) => width * height * 3;

/** Bytes of {@link SharedLanes} for so many lanes. */
export function sharedBytes(lanes: number, cameras: readonly CameraSettings[]): number {
  const images = cameras.reduce((total, camera) => total + imageBytes(camera), 0);
  return imagesAt(lanes) + lanes * images;
}

function imagesAt(lanes: number): number {
  return lanes * stepSize(maxObjects) * 8 + lanes * actionSize * 4 + (firstActive + lanes) * 4;
}

/** The views of both sides on one buffer of {@link sharedBytes}. */
export function sharedLanes(
  buffer: SharedArrayBuffer,
  lanes: number,
  cameras: readonly CameraSettings[],
): SharedLanes {
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
    images: imageViews(buffer, lanes, cameras),
  };
}

function imageViews(buffer: SharedArrayBuffer, lanes: number, cameras: readonly CameraSettings[]) {
  let at = imagesAt(lanes);
  return Array.from({ length: lanes }, () =>
    cameras.map((camera) => {
      at += imageBytes(camera);
      return new Uint8Array(buffer, at - imageBytes(camera), imageBytes(camera));
    }));
}

/** Writes a step's images to the lane's memory. */
export function writeImages(
  { observation }: Step,
  cameras: readonly CameraSettings[],
  out: readonly Uint8Array[],
): void {
  cameras.forEach(({ name }, i) => out[i]!.set(observation.images![name]!.data));
}

/** The step with the images that {@link writeImages} wrote, copied out of `from`. */
export function withImages(
  step: Step,
  cameras: readonly CameraSettings[],
  from: readonly Uint8Array[],
): Step {
  if (cameras.length === 0) return step;
  const images = Object.fromEntries(cameras.map(({ name, width, height }, i) => [
    name,
    { width, height, data: new Uint8Array(from[i]!) },
  ]));
  return { ...step, observation: { ...step.observation, images } };
}

/** From the pool. Steps go through shared memory instead: a message each would cost a tenth of the time. */
export type Request =
  | {
    readonly kind: "open";
    readonly suite: "tabletop";
    readonly buffer: SharedArrayBuffer;
    readonly lanes: number;
    readonly cameras: readonly CameraSettings[];
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
