/**
 * Pictures without a GPU: a pinhole camera that follows one ray through the middle of each pixel into the simulation.
 * The same state gives the same bytes: there is nothing in a pixel but sums, products and square roots.
 */
import type { CameraSettings } from "./environment.ts";
import type { Hits, Simulation } from "./mujoco.ts";

/** Where a camera is and how it is turned, in the world. */
export interface Pose {
  /** The eye (m), [3]. */
  readonly position: Float64Array;
  /** Row-major rotation matrix, [9], whose columns are the camera's right, up and backward, as in MuJoCo. */
  readonly rotation: Float64Array;
}

/** What a camera sees, row by row from the top. */
export interface Picture {
  /** Red, green, blue, [height * width * 3]. */
  readonly color: Uint8Array;
  /** Distance along the optical axis (m), [height * width]; Infinity where there is nothing. */
  readonly depth: Float32Array;
  /** The body in each pixel, as {@link Simulation.body} numbers them; -1 where there is nothing. */
  readonly segmentation: Int32Array;
}

/** Direction to the lamp, of unit length. */
const lamp = [2 / 7, 3 / 7, 6 / 7] as const;
/** Shares of light from everywhere, from the lamp, and from the camera; they add up to 1. */
const ambient = 0.4, diffuse = 0.4, headlight = 0.2;
/** Color where there is nothing. */
const background = [96, 110, 128] as const;

/** Largest edge of a picture, in pixels. */
const largest = 1024;

/** A camera of one simulation. Its field of view is set; its pose is given with every picture. */
export class RayCamera {
  readonly #simulation: Simulation;
  /** Unit directions in the camera's frame, [pixels * 3]. */
  readonly #rays: Float64Array;
  readonly #directions: Float64Array;
  /** The rotation that `#directions` are turned by. */
  readonly #rotation = new Float64Array(9);

  /**
   * @param fieldOfView angle between the upper and the lower edge (rad), between 0 and pi
   * @throws {RangeError} when a picture has no pixels or too many
   */
  constructor(simulation: Simulation, { name, width, height }: CameraSettings, fieldOfView: number) {
    for (const [edge, pixels] of Object.entries({ width, height })) {
      if (!Number.isInteger(pixels) || pixels < 1 || pixels > largest) {
        throw new RangeError(
          `Cannot open camera "${name}" with a ${edge} of ${pixels}: it must be 1 ... ${largest} pixels`,
        );
      }
    }
    this.#simulation = simulation;
    this.#rays = new Float64Array(width * height * 3);
    this.#directions = new Float64Array(width * height * 3);
    const scale = Math.tan(fieldOfView / 2) / height;
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const x = (2 * column + 1 - width) * scale, y = (height - 2 * row - 1) * scale;
        const length = Math.sqrt(x * x + y * y + 1);
        this.#rays[at++] = x / length;
        this.#rays[at++] = y / length;
        this.#rays[at++] = -1 / length;
      }
    }
  }

  /** The colors that the camera sees in the simulation's present state, [height * width * 3]. */
  color(pose: Pose): Uint8Array {
    return this.#shade(this.#cast(pose));
  }

  /** What the camera sees in the simulation's present state. */
  picture(pose: Pose): Picture {
    const hits = this.#cast(pose), { geomBodies } = this.#simulation;
    const depth = Float32Array.from(hits.distances, (distance, i) => {
      return distance < 0 ? Infinity : -distance * this.#rays[3 * i + 2]!;
    });
    const segmentation = hits.geoms.map((geom) => geom < 0 ? -1 : geomBodies[geom]!);
    return { color: this.#shade(hits), depth, segmentation };
  }

  #cast(pose: Pose): Hits {
    this.#turn(pose.rotation);
    return this.#simulation.castRays(pose.position, this.#directions);
  }

  #shade({ geoms, normals }: Hits): Uint8Array {
    const color = new Uint8Array(geoms.length * 3);
    const colors = this.#simulation.geomColors, directions = this.#directions;
    for (let i = 0, at = 0; i < geoms.length; i++, at += 3) {
      const geom = geoms[i]!;
      if (geom < 0) {
        color[at] = background[0];
        color[at + 1] = background[1];
        color[at + 2] = background[2];
        continue;
      }
      const x = normals[at]!, y = normals[at + 1]!, z = normals[at + 2]!;
      const lit = x * lamp[0] + y * lamp[1] + z * lamp[2];
      const away = x * directions[at]! + y * directions[at + 1]! + z * directions[at + 2]!;
      const light = 255 *
        (ambient + (lit > 0 ? diffuse * lit : 0) - (away < 0 ? headlight * away : 0));
      // At most 255.5, which the array cuts to 255.
      color[at] = light * colors[4 * geom]! + 0.5;
      color[at + 1] = light * colors[4 * geom + 1]! + 0.5;
      color[at + 2] = light * colors[4 * geom + 2]! + 0.5;
    }
    return color;
  }

  #turn(rotation: Float64Array): void {
    // A camera that stands still keeps its directions.
    if (rotation.every((x, i) => x === this.#rotation[i])) return;
    this.#rotation.set(rotation);
    const rays = this.#rays, directions = this.#directions;
    const [a, b, c, d, e, f, g, h, k] = rotation as unknown as number[];
    for (let at = 0; at < rays.length; at += 3) {
      const x = rays[at]!, y = rays[at + 1]!, z = rays[at + 2]!;
      directions[at] = a! * x + b! * y + c! * z;
      directions[at + 1] = d! * x + e! * y + f! * z;
      directions[at + 2] = g! * x + h! * y + k! * z;
    }
  }
}
