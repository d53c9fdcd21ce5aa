/**
 * Episodes of this repository as frames of a LeRobot data set, and back. What policies of others see stands under
 * LeRobot's names; what only the simulator knows under `privileged.`, which LeRobot's policies leave alone.
 */
import type { Episode } from "../data/episode.ts";
import type { FrameColumn, Frames } from "../data/lerobot_frames.ts";
import type { Feature } from "../data/lerobot_info.ts";
import type { CameraSettings, Task } from "../envs/environment.ts";
import { type NDArray, ndarray } from "../ndarray.ts";

const vector = (names: readonly string[], dtype = "float32"): Feature => ({
  dtype,
  shape: [names.length],
  names,
});

const xyz = ["x", "y", "z"];
const object = [
  ...xyz,
  ...["qw", "qx", "qy", "qz"],
  ...["vx", "vy", "vz", "wx", "wy", "wz"],
];

/** Columns that every episode has: feature, and the episode's column. Units as in `Observation`. */
const observed: Readonly<Record<string, readonly [Feature, string]>> = {
  "observation.state": [
    vector([...xyz, "axis_angle_x", "axis_angle_y", "axis_angle_z", "finger_left", "finger_right"]),
    "proprioception",
  ],
  "action": [vector([...xyz, "rotation_x", "rotation_y", "rotation_z", "gripper"]), "action"],
  "privileged.rotation": [vector(["xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz"]), "rotation"],
  "privileged.velocity": [vector(["vx", "vy", "vz", "wx", "wy", "wz"]), "velocity"],
  "privileged.gripper": [vector(["command"]), "gripper"],
};

/** Objects by their roles, so that tasks with other objects fit one data set. */
const roles = { "privileged.target": "target", "privileged.goal": "goal" } as const;

/** Numbers that stay the same over an episode, and how they are typed. */
const constant = {
  success: "bool",
  base_steps: "int64",
  initial_state: "int64",
} as const;

/** Name of a camera's feature. */
export const imageFeature = (camera: string): string => `observation.images.${camera}`;

/** Features of a data set of episodes, with pictures of some cameras. */
export function hybridFeatures(cameras: readonly CameraSettings[]): Record<string, Feature> {
  return {
    ...Object.fromEntries(cameras.map(({ name, width, height }) => [imageFeature(name), {
      dtype: "image",
      shape: [height, width, 3],
      names: ["height", "width", "channels"],
    }])),
    ...Object.fromEntries(Object.entries(observed).map(([name, [feature]]) => [name, feature])),
    ...Object.fromEntries(Object.keys(roles).map((name) => [name, vector(object)])),
    "next.success": vector(["success"], "bool"),
    "next.done": vector(["done"], "bool"),
    ...Object.fromEntries(Object.entries(constant).map(([name, dtype]) => [name, vector([name], dtype)])),
  };
}

/** Frames of an episode, without pictures; `base_steps` is T_base, all of it where the base acted throughout. */
export function hybridFrames(episode: Episode): Frames {
  const { length, success, columns, tags, index } = episode;
  const numbers = (column: NDArray | undefined, name: string): FrameColumn => {
    if (!column) {
      throw new RangeError(`Cannot write an episode of "${episode.task}": it has no column "${name}"`);
    }
    const inner = column.shape.slice(1), width = inner.reduce((a, b) => a * b, 1);
    return {
      kind: "numbers",
      shape: inner,
      values: Float64Array.from(column.data.subarray(0, length * width)),
    };
  };
  const each = (value: (t: number) => number): FrameColumn => ({
    kind: "numbers",
    shape: [1],
    values: Float64Array.from({ length }, (_, t) => value(t)),
  });
  const named = Object.entries(observed).map(([name, [, column]]) =>
    [name, numbers(columns[column], column)] as const
  );
  const objects = Object.entries(roles).map(([name, role]) => {
    const column = `object/${episode.roles[role]}`;
    return [name, numbers(columns[column], column)] as const;
  });
  return {
    ...Object.fromEntries([...named, ...objects]),
    "next.success": each((t) => Number(success && t === length - 1)),
    "next.done": each((t) => Number(t === length - 1)),
    "success": each(() => Number(success)),
    "base_steps": each(() => Math.min(length, tags.baseSteps ?? length)),
    "initial_state": each(() => index),
  };
}

/** Features without which no episode can be made again. */
export const neededFeatures: readonly string[] = [...Object.keys(observed), ...Object.keys(roles)];

/** Further features that are read where they are there. */
export const usefulFeatures: readonly string[] = [...Object.keys(constant), "next.success"];

/**
 * The episode behind frames of a task.
 *
 * @param index the initial state where the frames do not say
 */
export function episodeOf(frames: Frames, task: Task, length: number, index: number): Episode {
  const numbers = (name: string): Float64Array | undefined => {
    const column = frames[name];
    return column?.kind === "numbers" ? column.values : undefined;
  };
  const array = (name: string): NDArray => {
    const values = numbers(name)!;
    return ndarray([length, values.length / length], Float32Array.from(values));
  };
  const last = (name: string) => numbers(name)?.at(-1);
  const success = last("success") ?? last("next.success") ?? 1; // demonstrations that say nothing succeeded
  const baseSteps = last("base_steps");
  return {
    task: task.name,
    roles: task.roles,
    split: "training",
    index: last("initial_state") ?? index,
    success: success > 0,
    length,
    columns: {
      ...Object.fromEntries(Object.entries(observed).map(([name, [, column]]) => [column, array(name)])),
      ...Object.fromEntries(
        Object.entries(roles).map(([name, role]) => [`object/${task.roles[role]}`, array(name)]),
      ),
    },
    tags: baseSteps === undefined ? {} : { baseSteps },
  };
}
