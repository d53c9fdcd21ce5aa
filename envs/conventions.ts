/**
 * How policies that others trained are shown LIBERO: the order and form of the state's numbers, and which way up a picture
 * is. Each convention is one function; a state or a picture that is right but for one of them fails without an error.
 */
import type { Image } from "./environment.ts";
import { quaternionToAxisAngle } from "./rotation.ts";

/** What a robot reports, in robosuite's form. */
export interface RobotState {
  /** End-effector position, [3], metres. */
  readonly position: ArrayLike<number>;
  /** Its orientation, [4], robosuite's order x, y, z, w. */
  readonly quaternion: ArrayLike<number>;
  /** Finger positions, [2], metres. */
  readonly fingers: ArrayLike<number>;
}

/** A quaternion x, y, z, w as w, x, y, z, the order of MuJoCo and of this repository. */
export function wFirst([x, y, z, w]: ArrayLike<number> & Iterable<number>): Float64Array {
  return Float64Array.of(w!, x!, y!, z!);
}

/** A quaternion w, x, y, z as x, y, z, w, the order of robosuite and SciPy. */
export function wLast([w, x, y, z]: ArrayLike<number> & Iterable<number>): Float64Array {
  return Float64Array.of(x!, y!, z!, w!);
}

/**
 * The state that policies for LIBERO were trained on, [8]: position, axis-angle by robosuite's `quat2axisangle`, fingers
 * (openpi: examples/libero/main.py; LeRobot: processor/env_processor.py). q and -q are one rotation and two vectors: nothing
 * is made unique, since the training data were not.
 */
export function liberoState({ position, quaternion, fingers }: RobotState): Float64Array {
  const state = new Float64Array(8);
  state.set(Array.from(position), 0);
  quaternionToAxisAngle(wFirst(Array.from(quaternion)), state.subarray(3, 6));
  state.set(Array.from(fingers), 6);
  return state;
}

/** A picture with its rows in the opposite order: between upright ones and those that MuJoCo's renderer gives robosuite. */
export function upsideDown({ width, height, data }: Image): Image {
  const turned = new Uint8Array(data.length), row = width * 3;
  for (let y = 0; y < height; y++) {
    turned.set(data.subarray(y * row, (y + 1) * row), (height - 1 - y) * row);
  }
  return { width, height, data: turned };
}

/** A picture turned by 180 degrees, `[::-1, ::-1]`: what openpi and LeRobot do to LIBERO's upside-down pictures. */
export function turned({ width, height, data }: Image): Image {
  const out = new Uint8Array(data.length), pixels = width * height;
  for (let i = 0; i < pixels; i++) out.set(data.subarray(3 * i, 3 * i + 3), 3 * (pixels - 1 - i));
  return { width, height, data: out };
}
