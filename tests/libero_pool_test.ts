/** The environment contract and the pool on the real LIBERO. Skipped, with the reason, where it is not set up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { InitialState, Observation, Step, Task } from "../envs/environment.ts";
import { type Installation, libero } from "../envs/libero_install.ts";
import { LiberoPool, workerCommand } from "../envs/libero_pool.ts";
import { protocols } from "../envs/libero_protocols.ts";
import { liberoTasks } from "../envs/libero_tasks.ts";
import { LiberoWorker } from "../envs/libero_worker.ts";
import { type AnyEnvironment, environmentContract } from "./environment_contract.ts";
import { alive, play, type Played } from "./libero_harm.ts";

const suite = "libero_spatial";
const protocol = protocols.ours;

let installation: Installation | undefined;
let reason = "";
try {
  installation = libero();
} catch (error) {
  reason = ` (skipped: ${error instanceof Error ? error.message : error})`;
}
const ignore = installation === undefined;
const tasks = installation ? liberoTasks(installation.root, suite, protocol) : new Map();
const names = [...tasks.keys()] as string[];

function open(lanes: number, workers: number): Promise<LiberoPool> {
  const { python, root } = installation!;
  return LiberoPool.open({
    suite,
    tasks,
    root,
    command: workerCommand(python),
    protocol,
    cameras: [],
    lanes,
    workers,
    note: () => {},
  });
}

/** A pool of one lane as an environment. */
async function environment(task: string): Promise<AnyEnvironment> {
  const pool = await open(1, 1);
  let observation: Observation | undefined;
  return {
    task: tasks.get(task)!,
    get observation() {
      return observation!;
    },
    async reset(state: InitialState) {
      return observation = await pool.reset(0, task, state);
    },
    async step(action: ArrayLike<number>): Promise<Step> {
      const [step] = await pool.step([Float32Array.from(action)]);
      observation = step!.observation;
      return step!;
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

environmentContract(`LIBERO ${names[0] ?? suite}${reason}`, () => environment(names[0]!), {
  compared: { evaluation: 10, training: 10 },
  ignore,
});

Deno.test({
  name: `LIBERO's own parser reads the tasks of every suite at hand as this project does${reason}`,
  ignore,
  async fn() {
    const { python, root } = installation!;
    for (const suite of [...Deno.readDirSync(join(root, "bddl_files"))].map(({ name }) => name).sort()) {
      const worker = new LiberoWorker(workerCommand(python));
      const { header } = await worker.request("open", { suite, root, cameras: [], fast: true });
      const theirs = header.tasks as Pick<Task, "name" | "language" | "objects" | "roles">[];
      const ours = liberoTasks(root, suite, protocol);
      assert.equal(theirs.length, ours.size);
      for (const { name, language, objects, roles } of theirs) {
        const task = ours.get(name)!;
        assert.deepEqual({ language, objects, roles }, {
          language: task.language,
          objects: task.objects,
          roles: task.roles,
        });
      }
      await worker.close();
    }
  },
});

Deno.test({
  name:
    `LIBERO pools of 1 and 2 workers give the same bytes, after other tasks and after a lost process${reason}`,
  ignore,
  async fn() {
    const episodes = ([[0, "evaluation"], [5, "training"], [0, "training"], [5, "evaluation"]] as const).map(
      ([task, split], index): Played => ({ task: names[task]!, state: { split, index } }),
    );
    const length = 6;
    const pids = new Set<number>();
    const results: Step[][][] = [];
    for (const [lanes, workers] of [[1, 1], [2, 2]] as const) {
      await using pool = await open(lanes, workers);
      const disturb = (step: number) => {
        for (const pid of pool.pids) pids.add(pid!);
        if (lanes === 2 && step === 9) Deno.kill(pool.pids[1]!, "SIGKILL");
        return Promise.resolve();
      };
      results.push(await play(pool, lanes, episodes, { length, disturb }));
    }
    assert.deepEqual(results[1], results[0]);
    assert.deepEqual(results[0]!.map((steps) => steps.length), episodes.map(() => length));
    assert.equal(pids.size, 4, "one process was replaced");
    for (const pid of pids) assert.ok(!await alive(pid), `process ${pid} is left`);
  },
});
