/** Tasks by name, over all embedded suites. */
import type { Task } from "../envs/environment.ts";
import { scenes } from "../envs/tabletop_tasks.ts";

/**
 * The task called `name`.
 *
 * @throws {Error} when no suite has a task of that name; the message lists those there are
 */
export function taskOf(name: string): Task {
  const scene = scenes.find(({ task }) => task.name === name);
  if (!scene) {
    throw new Error(
      `Cannot find task "${name}": the tabletop has ${scenes.map(({ task }) => task.name).join(", ")}`,
    );
  }
  return scene.task;
}
