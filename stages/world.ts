/** The worlds that stages act in, by the settings that stand in their parameters and so in their keys. */
import { z } from "zod";
import type { Expert, Lanes, Task } from "../envs/environment.ts";
import { Pool } from "../envs/pool.ts";
import { cameraNames } from "../envs/tabletop_cameras.ts";
import { Expert as TabletopExpert } from "../envs/tabletop_expert.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import type { Stream } from "../random.ts";

const pixels = z.int().min(8).max(512).default(64);
const camera = z.strictObject({
  name: z.enum(cameraNames).describe("which of the world's cameras"),
  width: pixels.describe("pixels in a row"),
  height: pixels.describe("rows"),
});

/** Which world, and how it is set up: everything that may change what happens in it. */
export const world = z.discriminatedUnion("name", [
  z.strictObject({
    name: z.literal("tabletop"),
    cameras: z.array(camera).min(1).optional()
      .describe("what observations hold images of; left out: none, which costs nothing"),
  }),
]).describe("the simulated world");

/** What a stage is told of its world. */
export type WorldSettings = z.output<typeof world>;

/** A world with its tasks, its environments and its scripted expert. */
export interface World {
  /**
   * The task called `name`.
   *
   * @throws {Error} when there is none; the message lists those there are
   */
  task(name: string): Task;
  /** Opens `lanes` environments over at most `workers` workers; results do not depend on `workers`. */
  pool(options: { readonly lanes: number; readonly workers: number }): Promise<Lanes>;
  /** One episode's scripted expert, with habits and disturbances from `habits`. */
  expert(task: Task, habits: Stream): Expert;
}

/** Opens a world. */
export function openWorld(settings: WorldSettings): Promise<World> {
  switch (settings.name) {
    case "tabletop":
      return Promise.resolve(tabletop(settings));
  }
}

const tabletop = ({ cameras = [] }: WorldSettings & { name: "tabletop" }): World => ({
  task(name) {
    const scene = scenes.find(({ task }) => task.name === name);
    if (!scene) {
      throw new Error(
        `Cannot find task "${name}": the tabletop has ${scenes.map(({ task }) => task.name).join(", ")}`,
      );
    }
    return scene.task;
  },
  pool: ({ lanes, workers }) => Pool.open({ suite: "tabletop", lanes, workers, cameras }),
  expert: (task, habits) => new TabletopExpert(task, habits, { noise: true }),
});
