/** The tabletop's two cameras: one in front of the robot, as LIBERO's agent view, and one on the hand. */
import type { CameraSettings, Image } from "./environment.ts";
import type { Simulation } from "./mujoco.ts";
import { type Picture, type Pose, RayCamera } from "./ray_camera.ts";

/** Names of the cameras. */
export const cameraNames = ["agentview", "eye_in_hand"] as const;

interface Mount {
  /** Angle between the upper and the lower edge (rad). */
  readonly fieldOfView: number;
  /** Where the camera is now. */
  pose(simulation: Simulation): Pose;
}

const degrees = Math.PI / 180;

/** A pose at `eye` that sees `target` in its middle, with the world's up in the picture's up. */
function lookAt(eye: readonly number[], target: readonly number[]): Pose {
  const difference = eye.map((x, i) => x - target[i]!), length = Math.hypot(...difference);
  const [x, y, z] = difference.map((d) => d / length) as [number, number, number];
  const flat = Math.hypot(x, y), right = [-y / flat, x / flat, 0];
  const up = [-z * right[1]!, z * right[0]!, x * right[1]! - y * right[0]!];
  return {
    position: Float64Array.from(eye),
    rotation: Float64Array.from([0, 1, 2].flatMap((i) => [right[i]!, up[i]!, [x, y, z][i]!])),
  };
}

const front = lookAt([0.68, 0, 0.64], [0.02, 0, 0.06]);

/** On the end effector's +x side (m), above the fingertips, looking along the fingers and leaning towards them. */
const offset = [0.075, 0, -0.075], lean = 20 * degrees;
/** Columns: right, up, backward in the end effector's frame, where the fingers point along +z and slide along y. */
const turned = [
  [0, Math.cos(lean), Math.sin(lean)],
  [1, 0, 0],
  [0, Math.sin(lean), -Math.cos(lean)],
];

const mounts: Readonly<Record<string, Mount>> = {
  agentview: { fieldOfView: 45 * degrees, pose: () => front },
  eye_in_hand: {
    fieldOfView: 75 * degrees,
    pose({ views: { sitePositions, siteRotations } }) {
      const position = new Float64Array(3), rotation = new Float64Array(9);
      for (let i = 0; i < 3; i++) {
        position[i] = sitePositions[i]!;
        for (let k = 0; k < 3; k++) {
          const r = siteRotations[3 * i + k]!;
          position[i]! += r * offset[k]!;
          for (let j = 0; j < 3; j++) rotation[3 * i + j]! += r * turned[k]![j]!;
        }
      }
      return { position, rotation };
    },
  },
};

/** Some of the tabletop's cameras in one simulation. */
export class TabletopCameras {
  readonly #simulation: Simulation;
  readonly #cameras: readonly { settings: CameraSettings; mount: Mount; camera: RayCamera }[];

  /** @throws {RangeError} when a camera does not exist, is asked for twice, or has no pixels or too many */
  constructor(simulation: Simulation, cameras: readonly CameraSettings[]) {
    this.#simulation = simulation;
    this.#cameras = cameras.map((settings, i) => {
      const { name } = settings, mount = mounts[name];
      if (!mount) {
        throw new RangeError(
          `Cannot open tabletop camera "${name}": it must be one of ${cameraNames.join(", ")}`,
        );
      }
      if (cameras.findIndex((other) => other.name === name) !== i) {
        throw new RangeError(`Cannot open tabletop camera "${name}" twice: each camera has one size`);
      }
      return { settings, mount, camera: new RayCamera(simulation, settings, mount.fieldOfView) };
    });
  }

  /** What each camera sees now, by name: color, depth and segmentation. */
  pictures(): Record<string, Picture> {
    return Object.fromEntries(this.#cameras.map(({ settings, mount, camera }) => [
      settings.name,
      camera.picture(mount.pose(this.#simulation)),
    ]));
  }

  /** The colors alone, as observations hold them. */
  images(): Record<string, Image> {
    return Object.fromEntries(this.#cameras.map(({ settings: { name, width, height }, mount, camera }) => [
      name,
      { width, height, data: camera.color(mount.pose(this.#simulation)) },
    ]));
  }
}
