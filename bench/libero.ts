/**
 * Control steps per second of LIBERO on one core without cameras: LIBERO's own environment in its own process, the
 * worker with LIBERO's loop, the worker with its fast step; resets of both loops; and two lanes of a pool on one and
 * on two workers. All take turns in every round, ratios are taken within a round. Run it on an idle machine.
 *
 *   deno run -A bench/libero.ts [--suite NAME] [--rounds N] [--json]
 */
import { LiberoPool, workerCommand } from "../envs/libero_pool.ts";
import { protocols } from "../envs/libero_protocols.ts";
import { liberoTasks } from "../envs/libero_tasks.ts";
import { installation, Process, randomActions, runStock } from "../tests/libero_episodes.ts";
import { command, count, flag, text } from "./command.ts";
import { machine } from "./machine.ts";
import { median, race, ratio as ratioOf } from "./race.ts";

const options = { suite: text("libero_spatial"), rounds: count(5), json: flag() };

await command(options, async ({ suite, rounds, json }) => {
  const steps = 50, lanes = 2;
  const here = installation();
  if (typeof here === "string") throw new Error(here);

  const protocol = protocols.ours;
  const tasks = liberoTasks(here.root, suite, protocol);
  await using stock = await Process.open(here, suite, { fast: false });
  await using fast = await Process.open(here, suite);
  const task = fast.tasks[0]!;
  const actions = randomActions(task, steps);
  const key = { task, state: { split: "training", index: 0 }, seed: 0 } as const;
  const { python, root } = here, command = workerCommand(python);
  const open = (workers: number) =>
    LiberoPool.open({ suite, tasks, root, command, protocol, cameras: [], lanes, workers });
  await using one = await open(1);
  await using two = await open(2);

  async function milliseconds(run: () => Promise<unknown>): Promise<number> {
    const start = performance.now();
    await run();
    return performance.now() - start;
  }

  async function episode(process: Process): Promise<void> {
    for (const action of actions) await process.step(action);
  }

  async function pooled(pool: LiberoPool): Promise<number> {
    await Promise.all(Array.from({ length: lanes }, (_, lane) => pool.reset(lane, task, key.state)));
    return await milliseconds(async () => {
      for (const action of actions) await pool.step(Array.from({ length: lanes }, () => action));
    });
  }

  const times = await race({
    own: async () => (await runStock(here, suite, [{ ...key, actions }]))[0]!.seconds * 1e3,
    stockReset: () => milliseconds(() => stock.reset(key)),
    stock: () => milliseconds(() => episode(stock)),
    fastReset: () => milliseconds(() => fast.reset(key)),
    fast: () => milliseconds(() => episode(fast)),
    pool1: () => pooled(one),
    pool2: () => pooled(two),
  }, rounds);

  const rate = (name: string, count: number) => count * 1e3 / median(times[name]!);
  const ratio = (slow: string, quick: string) => ratioOf(times[slow]!, times[quick]!);
  const report = {
    suite,
    task,
    stepsPerSecond: {
      own: rate("own", steps),
      stock: rate("stock", steps),
      fast: rate("fast", steps),
      pool1: rate("pool1", steps * lanes),
      pool2: rate("pool2", steps * lanes),
    },
    resetMs: { stock: median(times.stockReset!), fast: median(times.fastReset!) },
    ratios: {
      fastOverOwn: ratio("own", "fast"),
      fastOverStock: ratio("stock", "fast"),
      pool2OverPool1: ratio("pool1", "pool2"),
    },
  };
  if (json) console.log(JSON.stringify({ machine: await machine(), ...report }));
  else {
    const { stepsPerSecond: speed, resetMs, ratios } = report;
    const row = (name: string, value: number, note = "") =>
      console.log(`${name.padEnd(42)}${value.toFixed(1)}${note}`);
    console.log(`${suite}: ${task}, control steps per second, median of ${rounds} rounds`);
    row("LIBERO's own ControlEnv, in its process", speed.own);
    row("worker, LIBERO's loop", speed.stock);
    row(
      "worker, fast step",
      speed.fast,
      ` (${ratios.fastOverOwn.toFixed(2)} x own, ${ratios.fastOverStock.toFixed(2)} x loop)`,
    );
    row("pool, 2 lanes on 1 worker", speed.pool1);
    row("pool, 2 lanes on 2 workers", speed.pool2, ` (${ratios.pool2OverPool1.toFixed(2)} x)`);
    row("reset of LIBERO's loop, ms", resetMs.stock);
    row("reset of the fast step, ms", resetMs.fast);
  }
});
