/** The tabletop environment: scenes of {@link scenes} under operational-space control, in MuJoCo compiled to WASM. */
import type {
  CameraSettings,
  Environment,
  InitialState,
  ObjectState,
  Observation,
  Step,
  Task,
} from "./environment.ts";
import { copied } from "./flat_step.ts";
import { Simulation } from "./mujoco.ts";
import { armJoints, OperationalSpace } from "./operational_space.ts";
import { matrixToQuaternion, quaternionToAxisAngle, rotate } from "./rotation.ts";
import { TabletopCameras } from "./tabletop_cameras.ts";
import {
  closedFinger,
  handBodies,
  home,
  mjcf,
  openFinger,
  substeps,
  torqueLimits,
} from "./tabletop_model.ts";
import { fingers, firstObject, initialPositions } from "./tabletop_states.ts";
import { type Placed, placed, successSteps } from "./tabletop_success.ts";
import { type Scene, scenes } from "./tabletop_tasks.ts";

/** All tasks by name. */
export const tasks: Readonly<Record<string, Task>> = Object.fromEntries(
  scenes.map(({ task }) => [task.name, task]),
);

/** Control steps with an open gripper after a reset, in which everything comes to rest. */
const settleSteps = 5;
/** Change of the commanded gripper in a control step: 8 steps from open to closed. */
const gripperRate = 0.25;
const actionSize = 7;

/**
 * Opens one task. With cameras its observations hold their images; a picture of 64 x 64 takes two or three times as long as a control step.
 *
 * @throws {RangeError} when there is no such task or camera
 */
export async function openTabletop(
  taskName: string,
  { cameras = [] }: { readonly cameras?: readonly CameraSettings[] } = {},
): Promise<Environment> {
  const scene = scenes.find(({ task }) => task.name === taskName);
  if (!scene) {
    throw new RangeError(
      `Cannot open tabletop task "${taskName}": it must be one of ${Object.keys(tasks).join(", ")}`,
    );
  }
  const simulation = await Simulation.open(mjcf(scene, { drawn: cameras.length > 0 }));
  return new Tabletop(scene, simulation, cameras);
}

class Tabletop implements Environment {
  readonly task: Task;
  readonly #scene: Scene;
  readonly #simulation: Simulation;
  readonly #controller: OperationalSpace;
  readonly #placed: Placed;
  readonly #cameras: TabletopCameras | undefined;
  readonly #action = new Float32Array(actionSize);
  readonly #quaternion = new Float64Array(4);
  readonly #vector = new Float64Array(3);
  #observation: Observation | undefined;
  #gripper = -1;
  #steps = 0;
  #placedSteps = 0;
  #ended = true;

  constructor(scene: Scene, simulation: Simulation, cameras: readonly CameraSettings[]) {
    this.task = scene.task;
    this.#scene = scene;
    this.#simulation = simulation;
    this.#controller = new OperationalSpace(simulation, home, torqueLimits);
    const address = (name: string) => {
      const i = this.task.objects.indexOf(name);
      return { qpos: firstObject + 7 * i, qvel: firstObject + 6 * i, body: simulation.body(name) };
    };
    const { target, goal } = this.task.roles;
    const hand = new Set(handBodies.map((name) => simulation.body(name)));
    this.#placed = { target: address(target), goal: address(goal), hand };
    this.#cameras = cameras.length > 0 ? new TabletopCameras(simulation, cameras) : undefined;
  }

  get observation(): Observation {
    if (!this.#observation) throw new Error(`Cannot observe task "${this.task.name}": reset it first`);
    return this.#observation;
  }

  reset(state: InitialState): Observation {
    const positions = initialPositions(this.#scene, state);
    this.#simulation.reset();
    this.#simulation.views.qpos.set(positions);
    this.#simulation.update();
    this.#gripper = -1;
    this.#action.fill(0);
    this.#action[6] = -1;
    for (let i = 0; i < settleSteps; i++) this.#control();
    this.#steps = this.#placedSteps = 0;
    this.#ended = false;
    return this.#observation = this.#observe();
  }

  step(action: ArrayLike<number>): Step {
    if (this.#ended) {
      throw new Error(`Cannot step task "${this.task.name}": the episode has ended, reset it first`);
    }
    if (action.length !== actionSize) {
      throw new RangeError(`Cannot take an action of ${action.length} numbers: it must have ${actionSize}`);
    }
    for (let i = 0; i < actionSize; i++) {
      const value = action[i]!;
      if (!Number.isFinite(value)) {
        throw new RangeError(`Cannot take ${value} as number ${i} of an action: it must be finite`);
      }
      this.#action[i] = Math.min(1, Math.max(-1, value));
    }
    this.#control();
    this.#steps++;
    this.#placedSteps = placed(this.#simulation, this.#placed) ? this.#placedSteps + 1 : 0;
    const success = this.#placedSteps >= successSteps;
    const truncated = !success && this.#steps >= this.task.maxSteps;
    this.#ended = success || truncated;
    return { observation: this.#observation = this.#observe(), success, terminated: success, truncated };
  }

  [Symbol.dispose](): void {
    this.#simulation[Symbol.dispose]();
  }

  /** One control step under `#action`. */
  #control(): void {
    const simulation = this.#simulation;
    this.#gripper = Math.min(1, Math.max(-1, this.#gripper + gripperRate * Math.sign(this.#action[6]!)));
    const opening = openFinger + (closedFinger - openFinger) * (this.#gripper + 1) / 2;
    simulation.views.ctrl.fill(opening, armJoints, firstObject);
    this.#controller.aim(simulation, this.#action);
    for (let i = 0; i < substeps; i++) {
      this.#controller.actuate(simulation);
      simulation.advance();
    }
  }

  #observe(): Observation {
    const { qpos, qvel, sitePositions, siteRotations } = this.#simulation.views;
    if (!qpos.every(Number.isFinite)) {
      throw new Error(`Cannot go on with task "${this.task.name}": the simulation diverged, reset it`);
    }
    const proprioception = new Float64Array(8), velocity = new Float64Array(6), axisAngle = this.#vector;
    matrixToQuaternion(siteRotations, 0, this.#quaternion);
    quaternionToAxisAngle(this.#quaternion, axisAngle);
    for (let i = 0; i < 3; i++) {
      proprioception[i] = sitePositions[i]!;
      proprioception[3 + i] = axisAngle[i]!;
    }
    for (let i = 0; i < fingers; i++) proprioception[6 + i] = qpos[armJoints + i]!;
    this.#controller.velocity(this.#simulation, velocity);
    const objects: Record<string, ObjectState> = {};
    this.task.objects.forEach((name, i) => objects[name] = this.#object(qpos, qvel, i));
    return {
      proprioception,
      rotation: copied(siteRotations, 0, 9),
      velocity,
      gripper: this.#gripper,
      objects,
      ...(this.#cameras ? { images: this.#cameras.images() } : {}),
    };
  }

  #object(qpos: Float64Array, qvel: Float64Array, index: number): ObjectState {
    const q = firstObject + 7 * index, v = firstObject + 6 * index;
    const velocity = copied(qvel, v, 6), spin = this.#vector;
    // MuJoCo keeps a free joint's angular velocity in the body's own frame.
    rotate(qpos, q + 3, qvel, v + 3, spin);
    for (let i = 0; i < 3; i++) velocity[3 + i] = spin[i]!;
    return { position: copied(qpos, q, 3), quaternion: copied(qpos, q + 3, 4), velocity };
  }
}
