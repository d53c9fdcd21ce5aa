/**
 * The slow proof that a harmed LIBERO loses nothing: 100 processes of the real simulator are killed, frozen, made to
 * babble into their replies or to die at import, at random moments of a pool's run, and every step must have the bytes of
 * an undisturbed run. Some minutes: `deno run -A tests/libero_faults.ts [faults]`. The quick form, against a scripted
 * worker, is in envs/libero_pool_test.ts.
 */
import assert from "node:assert/strict";
import { libero } from "../envs/libero_install.ts";
import { LiberoPool, type LiberoPoolOptions, workerCommand } from "../envs/libero_pool.ts";
import { protocols } from "../envs/libero_protocols.ts";
import { liberoTasks } from "../envs/libero_tasks.ts";
import { deadlines } from "../envs/libero_worker.ts";
import { stream } from "../random.ts";
import { alive, harm, harmed, harms, play, type Played } from "./libero_harm.ts";

const faults = Number(Deno.args[0] ?? 100);
const lanes = 2, length = 40, suite = "libero_spatial", protocol = protocols.ours;

const { python, root } = libero();
const tasks = liberoTasks(root, suite, protocol);
const names = [...tasks.keys()].slice(0, 2);
// Enough steps that a fault in every third of them makes as many as are wanted.
const episodes = Array.from({ length: Math.ceil(faults * 3 / length) }, (_, index): Played => ({
  task: names[Math.floor(index / 4) % 2]!,
  state: { split: index % 2 ? "training" : "evaluation", index: index % 50 },
}));
await using command = await harmed(workerCommand(python));
const lost: string[] = [];
const options: LiberoPoolOptions = {
  suite,
  tasks,
  root,
  command: command.command,
  protocol,
  cameras: [],
  lanes,
  workers: 2,
  deadlines: { ...deadlines, step: { total: 60_000, silence: 4_000 } },
  note: (line) => lost.push(line),
};

const seconds = (from: number) => ((performance.now() - from) / 1000).toFixed(0);
let started = performance.now();
let expected;
{
  await using pool = await LiberoPool.open(options);
  expected = await play(pool, lanes, episodes, { length });
}
const count = expected.reduce((sum, { length }) => sum + length, 0);
console.log(
  `Undisturbed: ${episodes.length} episodes, ${count} steps, ${seconds(started)} s, ${lost.length} lost`,
);

started = performance.now();
const random = stream(5, "real faults");
const done: Record<string, number> = Object.fromEntries(harms.map((how) => [how, 0]));
let made = 0;
{
  await using pool = await LiberoPool.open(options);
  const disturb = async () => {
    for (const pid of pool.pids) {
      const [whether, which] = random.fillUniform(new Float32Array(2), 0, 1);
      if (made >= faults || whether! > 0.4 || pid === undefined) continue;
      const how = harms[Math.floor(which! * harms.length)]!;
      await harm(how, pid, command);
      done[how]!++;
      if (++made % 10 === 0) console.log(`${made} faults, ${seconds(started)} s`);
    }
  };
  const steps = await play(pool, lanes, episodes, { length, disturb });
  assert.deepEqual(steps, expected);
}
assert.equal(made, faults, "the run was too short for so many faults");
const pids = await command.pids();
for (const pid of pids) assert.ok(!await alive(pid), `process ${pid} is left`);
const kinds = Object.entries(done).map(([how, n]) => `${n} ${how}`).join(", ");
console.log(`Disturbed: ${made} faults (${kinds}), ${lost.length} processes lost, ${seconds(started)} s`);
console.log(`The same bytes in all ${count} steps; ${pids.length} processes were started, none is left`);
