/**
 * The real LIBERO as a world of stages. No module imports this one: stages/world.ts loads it where a stage asks for it,
 * and names it to the lab as the stage's simulator, so that its code and fingerprint are in the keys of the stages that act
 * in it and of no others.
 */
import type { Task } from "../envs/environment.ts";
import { LiberoExpert } from "../envs/libero_expert.ts";
import { fingerprint as installed, libero } from "../envs/libero_install.ts";
import { LiberoPool, workerCommand } from "../envs/libero_pool.ts";
import {
  type Camera,
  describeProtocol,
  type ProtocolName,
  protocols,
  type Renderer,
} from "../envs/libero_protocols.ts";
import { readScene } from "../envs/libero_scene.ts";
import { liberoTasks } from "../envs/libero_tasks.ts";
import { checked, type SimulatorCheck } from "./simulator_check.ts";
import type { World } from "./world.ts";

/** Which LIBERO a stage acts in. */
export interface LiberoSettings {
  /** Name of the suite. */
  readonly suite: string;
  /** Preset of step budget, settle steps, seeds and resolution. */
  readonly protocol: ProtocolName;
  /** Cameras to render, in the protocol's resolution unless told; left out for state-based observations. */
  readonly cameras?:
    | readonly {
      readonly name: string;
      readonly width?: number | undefined;
      readonly height?: number | undefined;
    }[]
    | undefined;
  /** What draws the images. Never chosen by what happens to work: other renderers give other pixels. */
  readonly renderer?: Renderer | undefined;
}

/**
 * Opens a suite.
 *
 * @throws {Error} when LIBERO or the suite is not there; the message names the mend
 */
export function open(settings: LiberoSettings): World {
  const { suite } = settings;
  const { python, root } = libero();
  const protocol = protocols[settings.protocol];
  const cameras = camerasOf(settings);
  const tasks = liberoTasks(root, suite, protocol);
  return {
    actionSize: 7,
    task(name): Task {
      const task = tasks.get(name);
      if (!task) throw new Error(`Cannot find task "${name}": ${suite} has ${[...tasks.keys()].join(", ")}`);
      return task;
    },
    pool: ({ lanes, workers }) =>
      LiberoPool.open({
        suite,
        tasks,
        root,
        command: workerCommand(python, settings.renderer),
        protocol,
        cameras,
        lanes,
        workers,
      }),
    expert: (task, habits) => new LiberoExpert(task, readScene(root, task), habits, { noise: true }),
  };
}

/**
 * What decides the simulator's bytes beside this repository's modules: versions of packages, the worker, the data.
 *
 * @throws {Error} when LIBERO is not there; the message names the mend
 */
export function fingerprint(_: LiberoSettings): ReturnType<typeof installed> {
  return installed();
}

/** The world of a number, in one line for its report. */
export function describe(settings: LiberoSettings): string {
  return describeProtocol(
    protocols[settings.protocol],
    settings.suite,
    camerasOf(settings),
    settings.renderer,
  );
}

function camerasOf({ protocol, cameras = [] }: LiberoSettings): Camera[] {
  const { resolution } = protocols[protocol];
  return cameras.map(({ name, width = resolution, height = resolution }) => ({ name, width, height }));
}

/** What `exp doctor` tells of it: environment and assets, then the suite. */
export function checks(settings: LiberoSettings): SimulatorCheck[] {
  const installation = checked("libero", "deno task setup:libero", () => {
    const { packages } = installed();
    return `mujoco ${packages.mujoco}, robosuite ${packages.robosuite}, assets in ${libero().root}`;
  });
  if (!installation.ok) return [installation];
  const mend = "set LIBERO_ASSETS to a folder that has the suite, or run deno task setup:libero --download";
  const suite = checked(`suite ${settings.suite}`, mend, () => {
    const tasks = liberoTasks(libero().root, settings.suite, protocols[settings.protocol]);
    return `${tasks.size} tasks`;
  });
  return [installation, suite];
}
