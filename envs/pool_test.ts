import assert from "node:assert/strict";
import { stream } from "../random.ts";
import type { Step } from "./environment.ts";
import { Pool } from "./pool.ts";
import { openTabletop, tasks } from "./tabletop.ts";

const names = Object.keys(tasks);
const lanes = 4, length = 12;

/** The task, state and actions of a lane. */
function plan(lane: number) {
  const actions = Array.from(
    { length },
    (_, i) => stream(0, "pool test", lane, i).fillUniform(new Float32Array(7), -1, 1),
  );
  return { task: names[lane]!, state: { split: "training", index: 10 + lane } as const, actions };
}

/** The steps of the planned lanes, by lane. Lane i starts i steps later than lane 0. */
async function played(workers: number): Promise<Step[][]> {
  await using pool = await Pool.open({ suite: "tabletop", lanes, workers });
  const plans = Array.from({ length: lanes }, (_, lane) => plan(lane));
  await Promise.all(plans.map(({ task, state }, lane) => pool.reset(lane, task, state)));
  const steps: Step[][] = plans.map(() => []);
  for (let t = 0; t < length + lanes; t++) {
    const taken = await pool.step(plans.map(({ actions }, lane) => actions[t - lane]));
    taken.forEach((step, lane) => step && steps[lane]!.push(step));
  }
  return steps;
}

Deno.test("a pool of 1 worker, of 2 workers and single environments give the same bytes", async () => {
  const single: Step[][] = [];
  for (let lane = 0; lane < lanes; lane++) {
    const { task, state, actions } = plan(lane);
    using environment = await openTabletop(task);
    environment.reset(state);
    single.push(actions.map((action) => environment.step(action)));
  }
  assert.deepEqual(await played(1), single);
  assert.deepEqual(await played(2), single);
});

Deno.test("a replayed reset stands where the steps led, in any lane", async () => {
  await using pool = await Pool.open({ suite: "tabletop", lanes: 2, workers: 2 });
  const { task, state, actions } = plan(0);
  await pool.reset(0, task, state);
  let stepped: Step | undefined;
  for (const action of actions.slice(0, -1)) [stepped] = await pool.step([action, undefined]);
  const replay = Float32Array.from(actions.slice(0, -1).flatMap((action) => [...action]));
  assert.deepEqual(await pool.reset(1, task, state, replay), stepped!.observation);
  const [a, b] = await pool.step([actions.at(-1), actions.at(-1)]);
  assert.deepEqual(a, b);
});

Deno.test("a pool refuses what its lanes cannot do, and goes on", async () => {
  await using pool = await Pool.open({ suite: "tabletop", lanes: 2, workers: 1 });
  const state = { split: "training", index: 0 } as const;
  const action = new Float32Array(7);
  await assert.rejects(pool.step([action, undefined]), {
    message: /lane 0: it has no running episode, reset it first$/,
  });
  await assert.rejects(pool.reset(2, names[0]!, state), {
    message: "Cannot use lane 2: the pool has lanes 0 ... 1",
  });
  await assert.rejects(pool.reset(0, "on_moon", state), { message: /^Cannot open tabletop task "on_moon"/ });
  await assert.rejects(pool.reset(0, names[0]!, { split: "evaluation", index: 50 }), {
    message: /must be 0 ... 49$/,
  });
  await pool.reset(0, names[0]!, state);
  await assert.rejects(pool.step([new Float32Array([NaN, 0, 0, 0, 0, 0, 0]), undefined]), {
    message: /7 finite numbers$/,
  });
  const [first, second] = await pool.step([action, undefined]);
  assert.ok(first && !second);
});

Deno.test("a pool whose worker died says so instead of waiting", async () => {
  const workers = await recordWorkers(async () => {
    const pool = await Pool.open({ suite: "tabletop", lanes: 1, workers: 1 });
    return pool;
  });
  await using pool = workers.result;
  await pool.reset(0, names[0]!, { split: "training", index: 0 });
  workers.started[0]!.postMessage({ kind: "nonsense" }); // the worker throws
  const wanted = { message: /^Cannot go on with the pool: environment worker 0 died: .*"nonsense"/ };
  await assert.rejects(async () => {
    for (;;) await pool.step([new Float32Array(7)]);
  }, wanted);
  await assert.rejects(pool.reset(0, names[0]!, { split: "training", index: 0 }), wanted);
});

/** Runs `f` and keeps the workers that it starts. */
async function recordWorkers<T>(f: () => Promise<T>): Promise<{ result: T; started: Worker[] }> {
  const started: Worker[] = [], { Worker: Original } = globalThis;
  globalThis.Worker = class extends Original {
    constructor(...parameters: ConstructorParameters<typeof Worker>) {
      super(...parameters);
      started.push(this);
    }
  };
  try {
    return { result: await f(), started };
  } finally {
    globalThis.Worker = Original;
  }
}
