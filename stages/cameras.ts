/** The cameras of a world, as learners see them. */
import type { Observation } from "../envs/environment.ts";
import type { WorldSettings } from "./world.ts";

/** The cameras that a learner sees, all of one size. */
export interface Cameras {
  /** Their names, in the order of the channels. */
  readonly names: readonly string[];
  /** Rows of a picture. */
  readonly height: number;
  /** Pixels in a row. */
  readonly width: number;
  /** Numbers of a pixel: three for each camera. */
  readonly channels: number;
}

/**
 * The cameras of a world.
 *
 * @throws {Error} when there are none, or they have no size or different ones
 */
export function camerasOf({ cameras = [] }: WorldSettings): Cameras {
  const [first] = cameras;
  if (!first) throw new Error("Cannot learn from pictures without cameras: give the world's settings some");
  for (const { name, width, height } of cameras) {
    if (width === undefined || height === undefined) {
      throw new Error(`Cannot learn from camera "${name}" of unknown size: give its width and height`);
    }
    if (width !== first.width || height !== first.height) {
      throw new Error(
        `Cannot learn from camera "${name}" of ${width} x ${height} beside "${first.name}" of ` +
          `${first.width} x ${first.height}: all must have one size`,
      );
    }
  }
  const names = cameras.map(({ name }) => name);
  return { names, height: first.height!, width: first.width!, channels: 3 * names.length };
}

/** The pictures of an observation side by side in each pixel, [height * width * channels], numbers 0 ... 255. */
export function picturesOf({ images }: Observation, { names, height, width, channels }: Cameras): Uint8Array {
  const out = new Uint8Array(height * width * channels);
  names.forEach((name, camera) => {
    const image = images?.[name];
    if (!image) throw new Error(`Cannot see camera "${name}": the observation has no image of it`);
    for (let pixel = 0; pixel < height * width; pixel++) {
      for (let k = 0; k < 3; k++) out[pixel * channels + 3 * camera + k] = image.data[3 * pixel + k]!;
    }
  });
  return out;
}
