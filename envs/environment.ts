/**
 * The one interface of all simulated worlds, after LIBERO: 20 Hz control, actions of 7 numbers in [-1, 1] (delta
 * position, delta rotation, gripper: -1 open, +1 close), sparse success, initial states named by split and index. Where a
 * world has another robot (aloha.ts: two arms at 50 Hz, 14 joint positions as action and proprioception), it says so.
 */

/** What the robot is to do, and in which world. */
export interface Task {
  /** The world, e.g. "tabletop". */
  readonly suite: string;
  /** Unique within the suite. */
  readonly name: string;
  /** The instruction in plain words. */
  readonly language: string;
  /** Step budget: an episode without success is truncated after so many control steps. */
  readonly maxSteps: number;
  /** Objects by what they are to the task: the one to move and the one to place it on. */
  readonly roles: { readonly target: string; readonly goal: string };
  /** Names of the movable objects, in the order of the simulation's state. */
  readonly objects: readonly string[];
}

/** Key of an initial state. "evaluation": 0 ... 49, fixed; "training": any index >= 0 of a disjoint stream. */
export interface InitialState {
  /** Which of the two disjoint sets. */
  readonly split: "training" | "evaluation";
  /** Its number in the set. */
  readonly index: number;
}

/** Number of fixed evaluation states of every task. */
export const evaluationStates = 50;

/** Pose and velocity of an object in the world frame. */
export interface ObjectState {
  /** Position of the object's origin, [3], metres. */
  readonly position: Float64Array;
  /** Unit quaternion, [4], w first. */
  readonly quaternion: Float64Array;
  /** Linear velocity of the origin (m/s), then angular velocity (rad/s), [6]. */
  readonly velocity: Float64Array;
}

/** A camera that an environment is opened with. */
export interface CameraSettings {
  /** Which of the world's cameras. */
  readonly name: string;
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** A camera's picture. */
export interface Image {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Red, green, blue of every pixel, row by row from the top, [height * width * 3]. */
  readonly data: Uint8Array;
}

/** What is seen after a reset or a step. Shares no memory with any other observation. */
export interface Observation {
  /** End-effector position (m), its axis-angle (rad), both finger positions (m), [8]; ALOHA's 14 joint positions. */
  readonly proprioception: Float64Array;
  /** Rotation matrix of the end effector in the world, row-major, [9]. */
  readonly rotation: Float64Array;
  /** Linear (m/s), then angular (rad/s) velocity of the end effector in the world, [6]. */
  readonly velocity: Float64Array;
  /** The commanded gripper, -1 (open) ... 1 (closed). */
  readonly gripper: number;
  /** The movable objects by name. */
  readonly objects: Readonly<Record<string, ObjectState>>;
  /** Pictures by camera, where the environment was opened with cameras, and at this step where not all have pictures. */
  readonly images?: Readonly<Record<string, Image>>;
}

/** What one control step brought. */
export interface Step {
  /** What is seen after it. */
  readonly observation: Observation;
  /** Whether the task is done. */
  readonly success: boolean;
  /** The episode ended by success. */
  readonly terminated: boolean;
  /** The episode ended by its step budget, without success. */
  readonly truncated: boolean;
}

/** One simulated world with one task. The same reset and the same actions give the same bytes. */
export interface Environment {
  /** What is to be done. */
  readonly task: Task;
  /** The latest observation. */
  readonly observation: Observation;
  /** The only way to a state. */
  reset(state: InitialState): Observation;
  /** Advances by one control step; `action` [7] is rounded to float32 and clipped to [-1, 1], joint positions are not. */
  step(action: ArrayLike<number>): Step;
  /** Frees the simulation. */
  [Symbol.dispose](): void;
}

/** Many environments that are stepped together. Lanes are numbered from 0; each holds one episode at a time. */
export interface Lanes extends AsyncDisposable {
  /**
   * Starts an episode in a lane and replays `replay`, [n * 7], after the reset: how an interrupted episode comes back.
   *
   * @throws {Error} when the task or state does not exist, or the episode ends before the replay does
   */
  reset(lane: number, task: string, state: InitialState, replay?: Float32Array): Promise<Observation>;
  /** Advances every lane that has an action (by lane; undefined leaves a lane alone) by one control step. */
  step(actions: readonly (Float32Array | undefined)[]): Promise<(Step | undefined)[]>;
}

/** A scripted expert in one episode. It sees the objects; it makes data and never appears in an evaluation. */
export interface Expert {
  /** The action, [7], after `observation`. */
  act(observation: Observation): ArrayLike<number>;
}

/**
 * Checks the key of an initial state.
 *
 * @throws {RangeError} when `state` names none
 */
export function assertInitialState(state: InitialState): void {
  const { split, index } = state;
  if (split !== "training" && split !== "evaluation") {
    throw new RangeError(
      `Cannot reset to a state of split "${split}": it must be "training" or "evaluation"`,
    );
  }
  if (!Number.isSafeInteger(index) || index < 0 || (split === "evaluation" && index >= evaluationStates)) {
    const wanted = split === "evaluation" ? `0 ... ${evaluationStates - 1}` : "a non-negative integer";
    throw new RangeError(`Cannot reset to ${split} state ${index}: the index must be ${wanted}`);
  }
}
