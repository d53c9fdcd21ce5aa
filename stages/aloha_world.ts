/**
 * ALOHA's simulated tasks as a world of stages. No module imports this one: stages/world.ts loads it where a stage asks for
 * it, and names it to the lab as the stage's simulator.
 */
import { alohaTasks, gymCommand, JOINTS, openAloha } from "../envs/aloha.ts";
import { type AlohaFingerprint, alohaFingerprint, alohaPython } from "../envs/aloha_install.ts";
import type { CameraSettings, Task } from "../envs/environment.ts";
import type { Renderer } from "../envs/libero_protocols.ts";
import { checked, type SimulatorCheck } from "./simulator_check.ts";
import type { World } from "./world.ts";

/** How ALOHA is set up. */
export interface AlohaSettings {
  /** Step budget of an episode. */
  readonly steps: number;
  /** Cameras to draw. */
  readonly cameras?: readonly CameraSettings[] | undefined;
  /** Pictures are drawn on every n-th step. */
  readonly every: number;
  /** What draws them. */
  readonly renderer?: Renderer | undefined;
}

/**
 * Opens the world.
 *
 * @throws {Error} when ALOHA is not there; the message names the mend
 */
export function open({ steps, cameras = [], every, renderer }: AlohaSettings): World {
  const command = gymCommand(alohaPython(), renderer);
  const tasks = alohaTasks(steps);
  return {
    actionSize: JOINTS,
    task(name): Task {
      const task = tasks.get(name);
      if (!task) throw new Error(`Cannot find task "${name}": aloha has ${[...tasks.keys()].join(", ")}`);
      return task;
    },
    pool: ({ lanes, workers }) => openAloha({ command, tasks, cameras, every, lanes, workers }),
    expert() {
      throw new Error("Cannot demonstrate on aloha: it has no scripted expert, bring a policy");
    },
  };
}

/**
 * What decides the simulator's bytes beside this repository's modules: versions of packages, and the worker.
 *
 * @throws {Error} when ALOHA is not there; the message names the mend
 */
export function fingerprint(_: AlohaSettings): AlohaFingerprint {
  return alohaFingerprint();
}

/** The world of a number, in one line for its report. */
export function describe({ steps, cameras = [], every, renderer = "osmesa" }: AlohaSettings): string {
  const sees = cameras.length === 0
    ? "no images"
    : `images of ${
      cameras.map(({ name, width, height }) => `${name} (${width} x ${height})`).join(" and ")
    } by ${renderer}, every ${every} steps`;
  return `ALOHA (gym-aloha): ${steps} steps at 50 Hz, 14 joint positions, objects placed by a seed of each state, ${sees}`;
}

/** What `exp doctor` tells of it. */
export function checks(settings: AlohaSettings): SimulatorCheck[] {
  return [checked("aloha", "deno task setup:aloha", () => {
    const { packages } = fingerprint(settings);
    return `gym-aloha ${packages["gym-aloha"]}, mujoco ${packages.mujoco}`;
  })];
}
