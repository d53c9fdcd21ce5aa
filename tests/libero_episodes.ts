/** Episodes in this machine's LIBERO for tests: in worker processes, and in LIBERO's own environment. */
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { InitialState } from "../envs/environment.ts";
import type { Frame, FrameArray } from "../envs/libero_frames.ts";
import { type Installation, libero } from "../envs/libero_install.ts";
import { workerCommand } from "../envs/libero_pool.ts";
import { LiberoWorker } from "../envs/libero_worker.ts";
import { stream } from "../random.ts";

/** Settle steps of every preset. */
const settle = 10;

/** An episode of given actions. */
export interface ScriptedEpisode {
  readonly task: string;
  readonly state: InitialState;
  readonly seed: number;
  /** [steps], each [7] in [-1, 1]. */
  readonly actions: readonly Float32Array[];
}

/** What came of it. */
export interface Trace {
  /** Digests of qpos and qvel: after the settle steps, then after each action. */
  readonly hashes: readonly string[];
  /** LIBERO's check after each action. */
  readonly success: readonly boolean[];
}

/** This machine's LIBERO, or why there is none. */
export function installation(): Installation | string {
  try {
    return libero();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** `steps` uniform actions for one task. */
export function randomActions(task: string, steps: number): Float32Array[] {
  const random = stream(0, "libero-test", task);
  return Array.from({ length: steps }, () => Float32Array.from({ length: 7 }, () => random.uniform(-1, 1)));
}

/** A worker process with a suite open, without any layer that hides its processes or replays episodes. */
export class Process implements AsyncDisposable {
  readonly #worker: LiberoWorker;
  /** Names of the suite's tasks, in the benchmark's order. */
  readonly tasks: readonly string[];

  private constructor(worker: LiberoWorker, opened: Frame) {
    this.#worker = worker;
    this.tasks = (opened.header.tasks as { name: string }[]).map(({ name }) => name);
  }

  /** Starts it. */
  static async open(
    { python, root }: Installation,
    suite: string,
    { fast = true, cameras = [] }: { fast?: boolean; cameras?: [string, number, number][] } = {},
  ): Promise<Process> {
    const worker = new LiberoWorker(workerCommand(python));
    try {
      return new Process(worker, await worker.request("open", { suite, root, cameras, fast }));
    } catch (error) {
      await worker.close();
      throw error;
    }
  }

  /** Starts an episode; `replay` is stepped within the same request. */
  reset(
    { task, state, seed }: Omit<ScriptedEpisode, "actions">,
    replay: readonly Float32Array[] = [],
  ): Promise<Frame> {
    const arrays: Record<string, FrameArray> = {};
    if (replay.length > 0) {
      const data = Float32Array.from(replay.flatMap((action) => [...action]));
      arrays.replay = { shape: [replay.length, 7], data };
    }
    return this.#worker.request("reset", { task, ...state, seed, settle, hash: true }, arrays);
  }

  /** One control step. */
  step(action: Float32Array): Promise<Frame> {
    return this.#worker.request("step", { hash: true }, { action: { shape: [7], data: action } });
  }

  /** A whole episode, step by step. */
  async run(episode: ScriptedEpisode): Promise<Trace> {
    const hashes = [(await this.reset(episode)).header.hash as string];
    const success: boolean[] = [];
    for (const action of episode.actions) {
      const { header } = await this.step(action);
      hashes.push(header.hash as string);
      success.push(header.success as boolean);
    }
    return { hashes, success };
  }

  /** Ends it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#worker.close();
  }
}

/** The same episodes in LIBERO's own environment: tests/fixtures/libero_stock.py in a process of its own. */
export async function runStock(
  { python, root }: Installation,
  suite: string,
  episodes: readonly ScriptedEpisode[],
): Promise<(Trace & { readonly seconds: number })[]> {
  const script = fileURLToPath(new URL("fixtures/libero_stock.py", import.meta.url));
  const child = new Deno.Command(python, { args: [script], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const job = {
    root,
    episodes: episodes.map(({ task, state, seed, actions }) => ({
      bddl: join(root, "bddl_files", suite, `${task}.bddl`),
      states: join(root, "init_files", suite, `${task}.pruned_init`),
      ...state,
      seed,
      settle,
      actions: actions.map((action) => [...action]),
    })),
  };
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(job)));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  if (code !== 0) {
    throw new Error(`Cannot run LIBERO's own environment: ${new TextDecoder().decode(stderr).slice(-2000)}`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}
