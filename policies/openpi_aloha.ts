/** ALOHA as openpi's policies are shown it (examples/aloha_sim/env.py, src/openpi/policies/aloha_policy.py). */
import type { Image, Observation } from "../envs/environment.ts";
import { wireArray } from "./msgpack_numpy.ts";
import type { Message } from "./openpi.ts";
import { resizeWithPad } from "./resize_with_pad.ts";

/** Height and width of the pictures that openpi's policies take, pixels. */
const SIDE = 224;

/**
 * An observation of ALOHA as openpi's example client sends it: the picture from the top upright, fitted into 224 x 224, channels
 * first; the 14 joint positions as they are. Signs of joints and angles of grippers are changed on the policy's side
 * (`adapt_to_pi`). The prompt is left to the policy, as there.
 *
 * @param camera name of the camera that shows the table from the top
 * @throws {Error} when the observation lacks its picture
 */
export function alohaObservation(observation: Observation, camera: string): Message {
  const image = observation.images?.[camera];
  if (!image) {
    throw new Error(`Cannot show a policy camera ${camera}: there is no picture of it at this step`);
  }
  return {
    state: wireArray([observation.proprioception.length], observation.proprioception),
    images: { cam_high: wireArray([3, SIDE, SIDE], channelsFirst(resizeWithPad(image, SIDE, SIDE))) },
  };
}

/** A picture's bytes channel by channel, [3, H, W]. */
export function channelsFirst({ width, height, data }: Image): Uint8Array {
  const pixels = width * height, planes = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) planes[c * pixels + i] = data[3 * i + c]!;
  }
  return planes;
}
