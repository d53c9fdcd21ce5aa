/** The worlds that stages act in, by the settings that stand in their parameters and so in their keys. */
import { z } from "zod";
import type { Expert, Lanes, Task } from "../envs/environment.ts";
import { Pool } from "../envs/pool.ts";
import { cameraNames } from "../envs/tabletop_cameras.ts";
import { Expert as TabletopExpert } from "../envs/tabletop_expert.ts";
import { scenes } from "../envs/tabletop_tasks.ts";
import type { Simulator } from "../lab/stage.ts";
import type { Stream } from "../random.ts";
import type * as Aloha from "./aloha_world.ts";
import type * as Libero from "./libero_world.ts";

const pixels = z.int().min(8).max(512).default(64);
const camera = z.strictObject({
  name: z.enum(cameraNames).describe("which of the world's cameras"),
  width: pixels.describe("pixels in a row"),
  height: pixels.describe("rows"),
});

const libero = z.strictObject({
  name: z.literal("libero"),
  suite: z.string().regex(/^[a-zA-Z0-9_-]+$/).describe("suite of tasks, e.g. libero_spatial"),
  protocol: z.enum(["ours", "openpi", "lerobot-0.6", "vla-eval-0.4"]).default("ours")
    .describe("preset of step budgets, settle steps, seeds and resolution (envs/libero_protocols.ts)"),
  cameras: z.array(z.strictObject({
    name: z.string().regex(/^\w+$/).describe("a camera of LIBERO: agentview, robot0_eye_in_hand"),
    width: z.int().min(8).max(1024).optional().describe("pixels in a row; left out: the protocol's"),
    height: z.int().min(8).max(1024).optional().describe("rows; left out: the protocol's"),
  })).min(1).optional()
    .describe("what observations hold images of; left out: none, which is some ten times faster"),
  renderer: z.enum(["osmesa", "egl"]).optional()
    .describe("what draws the images; left out: osmesa, which needs no GPU; other renderers, other pixels"),
});

const aloha = z.strictObject({
  name: z.literal("aloha"),
  steps: z.int().min(1).max(2000).default(300)
    .describe("step budget of an episode: gym-aloha's 300, DSRL's experiments 400"),
  cameras: z.array(z.strictObject({
    name: z.enum(["top", "angle", "front_close", "left_pillar", "right_pillar"])
      .describe("a camera of the scene; policies were trained on top"),
    width: z.int().min(8).max(640).default(640).describe("pixels in a row"),
    height: z.int().min(8).max(480).default(480).describe("rows"),
  })).min(1).optional().describe("what observations hold images of; left out: none"),
  every: z.int().min(1).default(1)
    .describe("images after a reset, on every n-th step, and on the last: they cost a hundred steps each"),
  renderer: z.enum(["osmesa", "egl"]).optional()
    .describe("what draws the images; left out: osmesa, which needs no GPU; other renderers, other pixels"),
});

const settings = z.discriminatedUnion("name", [
  z.strictObject({
    name: z.literal("tabletop"),
    cameras: z.array(camera).min(1).optional()
      .describe("what observations hold images of; left out: none, which costs nothing"),
  }),
  libero,
  aloha,
]);

/** What a stage is told of its world. */
export type WorldSettings = z.output<typeof settings>;

/**
 * The sides of LIBERO and ALOHA are loaded where they are asked for and imported nowhere, so that they stay out of the keys
 * of stages that act on the tabletop. `simulator` names them to the lab for those that need them.
 */
const here = new URL("./", import.meta.url);
const liberoModule: string = new URL("libero_world.ts", here).href;
const alohaModule: string = new URL("aloha_world.ts", here).href;

/** The simulator outside this repository that a world needs; none for the tabletop. */
export function simulator(world: WorldSettings): Simulator | undefined {
  if (world.name === "tabletop") return undefined;
  return { module: world.name === "libero" ? liberoModule : alohaModule, settings: world };
}

/** Which world, and how it is set up: everything that may change what happens in it. */
export const world = settings.meta({ description: "the simulated world", simulator });

/** A world with its tasks, its environments and its scripted expert. */
export interface World {
  /** Numbers of an action. */
  readonly actionSize: number;
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

/**
 * Opens a world.
 *
 * @throws {Error} when its simulator is not there; the message names the mend
 */
export async function openWorld(settings: WorldSettings): Promise<World> {
  switch (settings.name) {
    case "tabletop":
      return tabletop(settings);
    case "libero": {
      const { open } = await import(liberoModule) as typeof Libero;
      return open(settings);
    }
    case "aloha": {
      const { open } = await import(alohaModule) as typeof Aloha;
      return open(settings);
    }
  }
}

const tabletop = ({ cameras = [] }: WorldSettings & { name: "tabletop" }): World => ({
  actionSize: 7,
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
