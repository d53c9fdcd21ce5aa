/** Where everything is when an episode begins: the tabletop's initial states, drawn from two disjoint streams. */
import { stream } from "../random.ts";
import { assertInitialState, type InitialState } from "./environment.ts";
import { armJoints } from "./operational_space.ts";
import { home, openFinger, restingHeight } from "./tabletop_model.ts";
import type { Scene } from "./tabletop_tasks.ts";

/** Seeds of the initial states; part of what the tasks are, never an argument. */
const seeds = { evaluation: 20260401, training: 20260402 } as const;
/** Standard deviation of the joint angles around home (rad). */
const jointNoise = 0.02;

/** The gripper's finger joints, which follow the arm's. */
export const fingers = 2;

/** Where the movable objects' free joints start in the positions and in the velocities. */
export const firstObject: number = armJoints + fingers;

/**
 * The simulation's positions before anything has settled, [9 + 7 * objects]: joints (rad), fingers (m), then every
 * object's position (m) and quaternion (w first).
 *
 * @throws {RangeError} when `state` names no initial state
 */
export function initialPositions({ task, placements }: Scene, state: InitialState): Float64Array {
  assertInitialState(state);
  const { split, index } = state;
  const random = stream(seeds[split], "tabletop", task.name, split, index);
  const qpos = new Float64Array(firstObject + 7 * placements.length);
  home.forEach((angle, i) => qpos[i] = angle + jointNoise * random.normal());
  qpos.fill(openFinger, armJoints, firstObject);
  placements.forEach(({ kind, x, y, height = 0, relativeTo }, i) => {
    const at = firstObject + 7 * i;
    const origin = relativeTo === undefined ? undefined : firstObject + 7 * task.objects.indexOf(relativeTo);
    qpos[at] = random.uniform(x[0], x[1]) + (origin === undefined ? 0 : qpos[origin]!);
    qpos[at + 1] = random.uniform(y[0], y[1]) + (origin === undefined ? 0 : qpos[origin + 1]!);
    qpos[at + 2] = height + restingHeight[kind];
    const yaw = random.uniform(-Math.PI, Math.PI);
    qpos[at + 3] = Math.cos(yaw / 2);
    qpos[at + 6] = Math.sin(yaw / 2);
  });
  return qpos;
}
