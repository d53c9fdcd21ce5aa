/** When is a bowl placed? It rests upright on the plate and nothing holds it. */
import type { Simulation } from "./mujoco.ts";

/** Addresses of what the measure reads. */
export interface Placed {
  /** First index in qpos and qvel of the target's free joint, and its body. */
  readonly target: { readonly qpos: number; readonly qvel: number; readonly body: number };
  /** The same of the goal. */
  readonly goal: { readonly qpos: number; readonly body: number };
  /** The gripper's bodies. */
  readonly hand: ReadonlySet<number>;
}

/** Success asks for the placed state in so many consecutive control steps. */
export const successSteps = 2;

/**
 * Whether the target's centre is within 3 cm of the goal's (horizontally) and less than 1.8 cm above it, its axis
 * within 18 degrees of the vertical, its speed below 0.1 m/s, touching the goal and not the hand.
 */
export function placed(simulation: Simulation, { target, goal, hand }: Placed): boolean {
  const { qpos, qvel, awake } = simulation.views;
  const t = target.qpos, g = goal.qpos, v = target.qvel;
  if (Math.hypot(qpos[t]! - qpos[g]!, qpos[t + 1]! - qpos[g + 1]!) >= 0.03) return false;
  if (qpos[t + 2]! - qpos[g + 2]! >= 0.018) return false;
  if (1 - 2 * (qpos[t + 4]! ** 2 + qpos[t + 5]! ** 2) <= 0.95) return false; // z component of the bowl's own z
  if (Math.hypot(qvel[v]!, qvel[v + 1]!, qvel[v + 2]!) >= 0.1) return false;
  // Asleep so close above the goal, it rests on it: the hand would keep it awake, and contacts are no longer listed.
  if (awake[target.body] === 0) return true;
  let onGoal = false, held = false;
  simulation.forEachContact((a, b) => {
    if (a !== target.body && b !== target.body) return;
    const other = a === target.body ? b : a;
    if (other === goal.body) onGoal = true;
    if (hand.has(other)) held = true;
  });
  return onGoal && !held;
}
