/** From the numbers a simulator process sends to observations (python/libero_worker/README.md has the layout). */
import type { Image, ObjectState, Observation, Task } from "./environment.ts";
import type { Frame } from "./libero_frames.ts";
import { LostWorker } from "./libero_worker.ts";

/** Numbers between the proprioception and the objects: rotation 9, velocity 6, gripper 1. */
const handSize = 16;
/** Numbers of an object: position 3, quaternion 4, linear and angular velocity 3 each. */
const objectSize = 13;

/**
 * The observation in a reply. It owns its memory.
 *
 * @param names of the objects, in the order of the state
 * @param own numbers of the proprioception: 8 in LIBERO
 * @throws {LostWorker} when the reply holds no such observation
 */
export function readObservation(
  frame: Frame,
  task: Task,
  names: readonly string[],
  own = 8,
): Observation {
  const state = stateOf(frame), robotSize = own + handSize;
  if (state.length !== robotSize + objectSize * names.length) {
    throw new LostWorker(`garbage instead of a state: ${state.length} numbers for ${names.length} objects`);
  }
  const at = new Map(names.map((name, i) => [name, robotSize + i * objectSize]));
  const objects: Record<string, ObjectState> = {};
  for (const name of task.objects) {
    const start = at.get(name);
    if (start === undefined) {
      throw new Error(
        `Cannot observe ${name} of task ${task.name}: the simulator has ${names.join(", ")}; ` +
          "the task description is not the one it uses",
      );
    }
    objects[name] = {
      position: state.slice(start, start + 3),
      quaternion: state.slice(start + 3, start + 7),
      velocity: state.slice(start + 7, start + 13),
    };
  }
  const images = imagesOf(frame);
  return {
    proprioception: state.slice(0, own),
    rotation: state.slice(own, own + 9),
    velocity: state.slice(own + 9, own + 15),
    gripper: state[own + 15]!,
    objects,
    ...(images ? { images } : {}),
  };
}

/** The numbers that a reply to reset or step holds: equal bytes mean equal observations. */
export function stateOf({ arrays }: Frame): Float64Array {
  const state = arrays.state?.data;
  if (!(state instanceof Float64Array)) throw new LostWorker("garbage instead of a state");
  return state;
}

function imagesOf({ arrays }: Frame): Record<string, Image> | undefined {
  const images: Record<string, Image> = {};
  for (const [name, { shape, data }] of Object.entries(arrays)) {
    if (!name.startsWith("image/") || !(data instanceof Uint8Array)) continue;
    const [height = 0, width = 0] = shape;
    images[name.slice("image/".length)] = { width, height, data };
  }
  return Object.keys(images).length > 0 ? images : undefined;
}
