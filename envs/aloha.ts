/**
 * ALOHA's simulated tasks (gym-aloha): two arms of six joints and a gripper each, at 50 Hz. Actions are 14 absolute joint
 * positions (rad; grippers 0 closed ... 1 open), which the actuators clip, and so is the proprioception. Rotation, velocity and
 * gripper of an observation are the right hand's.
 */
import { createHash } from "node:crypto";
import type { CameraSettings, InitialState, Task } from "./environment.ts";
import type { Robot } from "./libero_lane.ts";
import { readObservation } from "./libero_observation.ts";
import { LiberoPool, workerCommand } from "./libero_pool.ts";
import type { Renderer } from "./libero_protocols.ts";
import type { WorkerCommand } from "./libero_worker.ts";

/** Numbers of an action and of the proprioception. */
export const JOINTS = 14;

/** The scene's cameras; policies were trained on "top". */
export const alohaCameras = ["top", "angle", "front_close", "left_pillar", "right_pillar"] as const;

/** The arms at the start of every episode, as an action: holding it does nothing. */
export const alohaRest: readonly number[] = [
  0,
  -0.96,
  1.16,
  0,
  -0.3,
  0,
  0.1,
  0,
  -0.96,
  1.16,
  0,
  -0.3,
  0,
  0.1,
];

/** Gymnasium's ids by our names, and what the tasks are. */
const scenes = {
  transfer_cube: {
    id: "gym_aloha/AlohaTransferCube-v0",
    language: "Transfer cube",
    target: "box",
    goal: "vx300s_left/gripper_link",
  },
  insertion: { id: "gym_aloha/AlohaInsertion-v0", language: "Insertion", target: "peg", goal: "socket" },
} as const;

/** Both tasks by name, with a step budget: gym-aloha's is 300, that of DSRL's experiments 400. */
export function alohaTasks(maxSteps: number): ReadonlyMap<string, Task> {
  const entries = Object.entries(scenes).map(([name, { language, target, goal }]): [string, Task] => {
    const task = { suite: "aloha", name, language, maxSteps, roles: { target, goal } };
    return [name, { ...task, objects: [target, goal] }];
  });
  return new Map(entries);
}

const robot: Robot = {
  actionSize: JOINTS,
  bounded: false,
  read: (frame, task, names) => readObservation(frame, task, names, JOINTS),
};

/** The command that starts the Gymnasium worker in the interpreter `python`. */
export function gymCommand(python: string, renderer?: Renderer): WorkerCommand {
  const simulator = { name: "ALOHA", setup: "deno task setup:aloha" };
  return { ...workerCommand(python, renderer, "gym_worker"), simulator };
}

/** The seed of an episode: the first 31 bits of SHA-256 of "aloha/task/split/index"; it places the objects. */
export function alohaSeed(task: string, { split, index }: InitialState): number {
  return createHash("sha256").update(`aloha/${task}/${split}/${index}`).digest().readUInt32BE(0) >>> 1;
}

/** What a pool of ALOHA's is opened with. */
export interface AlohaPoolOptions {
  /** How a process is started: `gymCommand(python)`. */
  readonly command: WorkerCommand;
  /** The tasks by name. */
  readonly tasks: ReadonlyMap<string, Task>;
  /** Cameras to draw. */
  readonly cameras: readonly CameraSettings[];
  /** Pictures are drawn after a reset, on every n-th step, and on an episode's last. */
  readonly every: number;
  /** Environments: processes of some 300 MB each. */
  readonly lanes: number;
  /** How many of them compute at once; no result depends on it. */
  readonly workers: number;
  /** Hears of processes that were lost and replaced. */
  readonly note?: (line: string) => void;
}

/**
 * Starts ALOHA's processes. Close the pool with `await using`.
 *
 * @throws {Error} when ALOHA cannot be started here; the message names the mend
 */
export function openAloha({ cameras, every, tasks, ...options }: AlohaPoolOptions): Promise<LiberoPool> {
  const [first] = tasks.values();
  return LiberoPool.start({
    ...options,
    suite: "aloha",
    tasks,
    robot,
    settle: 0,
    seed: alohaSeed,
    open: {
      module: "gym_aloha",
      tasks: Object.fromEntries(Object.entries(scenes).map(([name, { id }]) => [name, id])),
      cameras: cameras.map(({ name, width, height }) => [name, width, height]),
      every,
      budget: first!.maxSteps,
    },
  });
}
