/** What our policies see of an observation: object-relative positions, for objects named by their role in the task. */
import type { Observation, Task } from "../envs/environment.ts";

/** What features need to know of a task: its name, and the objects by their roles. */
export type Subject = Pick<Task, "name" | "roles">;

/** Numbers of `features` for a single task. */
export const FEATURES = 20;
/** Numbers that `residualState` adds to the features. */
export const RESIDUAL_EXTRAS = 11;

/**
 * Features of the base policy, metres and radians: end-effector position (3), its rotation relative to pointing
 * straight down as an axis-angle vector (3; the plain axis-angle flips its sign just there), fingers (2), target minus
 * end effector (3), the target's up axis (3), goal minus target (3), goal minus end effector (3). With several `tasks`
 * (names) a one-hot of the task is appended.
 *
 * @throws {RangeError} when `tasks` has several names without the task's, or the observation lacks an object
 */
export function features(
  observation: Observation,
  task: Subject,
  tasks: readonly string[] = [],
): Float32Array {
  const out = new Float32Array(FEATURES + (tasks.length > 1 ? tasks.length : 0));
  writeFeatures(observation, task, tasks, out);
  return out;
}

/**
 * What the residual sees: the features, then end-effector velocity (6), the target's linear velocity (3), the commanded
 * gripper (1), and `chunkPosition`, the fraction 0 ... 1 of the base's chunk already executed (1).
 */
export function residualState(
  observation: Observation,
  task: Subject,
  chunkPosition: number,
  tasks: readonly string[] = [],
): Float32Array {
  const count = FEATURES + (tasks.length > 1 ? tasks.length : 0);
  const out = new Float32Array(count + RESIDUAL_EXTRAS);
  writeFeatures(observation, task, tasks, out);
  out.set(observation.velocity, count);
  out.set(objectOf(observation, task.roles.target).velocity.subarray(0, 3), count + 6);
  out[count + 9] = observation.gripper;
  out[count + 10] = chunkPosition;
  return out;
}

function writeFeatures(o: Observation, task: Subject, tasks: readonly string[], out: Float32Array): void {
  const hand = o.proprioception.subarray(0, 3);
  const target = objectOf(o, task.roles.target);
  const goal = objectOf(o, task.roles.goal);
  out.set(hand, 0);
  out.set(rotationFromDown(o.rotation), 3);
  out.set(o.proprioception.subarray(6, 8), 6);
  out.set(difference(target.position, hand), 8);
  out.set(upAxis(target.quaternion), 11);
  out.set(difference(goal.position, target.position), 14);
  out.set(difference(goal.position, hand), 17);
  if (tasks.length > 1) {
    const index = tasks.indexOf(task.name);
    if (index < 0) {
      throw new RangeError(
        `Cannot mark task "${task.name}" among ${tasks.join(", ")}: it must be one of them`,
      );
    }
    out[FEATURES + index] = 1;
  }
}

function objectOf(observation: Observation, name: string) {
  const object = observation.objects[name];
  if (!object) {
    const names = Object.keys(observation.objects).join(", ");
    throw new RangeError(`Cannot read object "${name}": the observation must hold it, and has ${names}`);
  }
  return object;
}

function difference(a: Float64Array, b: Float64Array): number[] {
  return [a[0]! - b[0]!, a[1]! - b[1]!, a[2]! - b[2]!];
}

/** The body's z axis in the world, from a unit quaternion (w first). */
function upAxis([w, x, y, z]: Float64Array): number[] {
  return [2 * (x! * z! + w! * y!), 2 * (y! * z! - w! * x!), 1 - 2 * (x! * x! + y! * y!)];
}

/**
 * Axis-angle (world axes) of R Dᵀ, where D = diag(1, -1, -1) is the hand pointing straight down; R row-major [9].
 * Angles are below π for any hand that does not point up.
 */
function rotationFromDown(r: Float64Array): number[] {
  // Columns 1 and 2 of R D^T are those of R with their signs turned.
  const [r00, r01, r02, r10, r11, r12, r20, r21, r22] = [
    ...[r[0]!, -r[1]!, -r[2]!],
    ...[r[3]!, -r[4]!, -r[5]!],
    ...[r[6]!, -r[7]!, -r[8]!],
  ] as [number, number, number, number, number, number, number, number, number];
  const axis = [r21 - r12, r02 - r20, r10 - r01]; // 2 sin(angle) times the unit axis
  const sine = Math.hypot(...axis) / 2;
  const cosine = (r00 + r11 + r22 - 1) / 2;
  const factor = sine < 1e-9 ? 0.5 : Math.atan2(sine, cosine) / (2 * sine);
  return axis.map((component) => component * factor);
}
