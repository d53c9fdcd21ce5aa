import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { alive, harm, harmed, harms, play, type Played } from "../tests/libero_harm.ts";
import { stream } from "../random.ts";
import type { Task } from "./environment.ts";
import { LiberoPool, type LiberoPoolOptions } from "./libero_pool.ts";
import { protocols } from "./libero_protocols.ts";
import { deadlines, type WorkerCommand } from "./libero_worker.ts";

const fake: WorkerCommand = {
  program: Deno.execPath(),
  args: [
    "run",
    "--no-check",
    fileURLToPath(new URL("../tests/fixtures/fake_libero_worker.ts", import.meta.url)),
  ],
  env: {},
};
const task = (name: string): Task => ({
  suite: "fake",
  name,
  language: name,
  maxSteps: 24,
  roles: { target: "cup_1", goal: "plate_1" },
  objects: ["cup_1", "plate_1", "shelf_1"],
});
const tasks = new Map(["left", "right", "impossible"].map((name) => [name, task(name)]));
const silence = 300;
const quick = { ...deadlines, step: { total: 20_000, silence }, reset: { total: 20_000, silence } };

function options(more: Partial<LiberoPoolOptions> = {}): LiberoPoolOptions {
  return {
    suite: "fake",
    tasks,
    root: "",
    command: fake,
    protocol: protocols.ours,
    cameras: [],
    lanes: 2,
    workers: 2,
    deadlines: quick,
    note: () => {},
    ...more,
  };
}

const episodes = Array.from(
  { length: 10 },
  (_, i): Played => ({ task: i % 2 ? "left" : "right", state: { split: "training", index: i } }),
);
const first = episodes[0]!;

Deno.test("pools of 1 and 2 workers and of other lanes give the same bytes", async () => {
  const results = [];
  for (const [lanes, workers] of [[1, 1], [3, 1], [3, 2]] as const) {
    await using pool = await LiberoPool.open(options({ lanes, workers }));
    results.push(await play(pool, lanes, episodes, { length: 100 }));
  }
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual(results[2], results[0]);
  const ends = results[0]!.map((steps) => steps.at(-1)!);
  assert.ok(ends.some(({ success, terminated, truncated }) => success && terminated && !truncated));
  assert.ok(ends.some(({ success, terminated, truncated }) => !success && !terminated && truncated));
  const truncated = results[0]!.find((steps) => steps.at(-1)!.truncated)!;
  assert.equal(truncated.length, 24);
});

Deno.test({
  name: "100 random faults (killed, frozen, garbage, dying at import) change no result and leave no process",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const lanes = 4,
      many = [...episodes, ...episodes, ...episodes].map((played, i) => ({
        ...played,
        state: { split: "training", index: i } as const,
      }));
    await using command = await harmed(fake);
    let expected;
    {
      await using pool = await LiberoPool.open(options({ lanes, workers: 4, command: command.command }));
      expected = await play(pool, lanes, many, { length: 100 });
    }
    const random = stream(4, "faults");
    const lost: string[] = [];
    let faults = 0;
    {
      await using pool = await LiberoPool.open(
        options({ lanes, workers: 4, command: command.command, note: (line) => lost.push(line) }),
      );
      const disturb = async () => {
        for (const pid of pool.pids) {
          const [whether, which] = random.fillUniform(new Float32Array(2), 0, 1);
          if (faults >= 100 || whether! > 0.3 || pid === undefined) continue;
          faults++;
          await harm(harms[Math.floor(which! * harms.length)]!, pid, command);
        }
      };
      assert.deepEqual(await play(pool, lanes, many, { length: 100, disturb }), expected);
    }
    assert.equal(faults, 100);
    // A process that is killed in the same moment in which its successor dies at import is one loss each.
    assert.ok(lost.length >= 90, `${lost.length} processes were lost`);
    for (const reason of ["killed by SIGKILL", "silent for 0.3 s", "garbage", "package mujoco is missing"]) {
      assert.ok(
        lost.some((line) => line.includes(reason)),
        `${reason} not in ${[...new Set(lost)].join("\n")}`,
      );
    }
    for (const pid of await command.pids()) assert.ok(!await alive(pid), `process ${pid} is left`);
  },
});

Deno.test("a replayed reset stands where the steps led, in any lane", async () => {
  await using pool = await LiberoPool.open(options());
  const random = stream(0, "replayed");
  const actions = Array.from({ length: 6 }, () => random.fillUniform(new Float32Array(7), -1.2, 1.2));
  await pool.reset(0, first.task, first.state);
  let stepped;
  for (const action of actions) [stepped] = await pool.step([action, undefined]);
  const replay = Float32Array.from(actions.flatMap((action) => [...action]));
  assert.deepEqual(await pool.reset(1, first.task, first.state, replay), stepped!.observation);
  const [a, b] = await pool.step([actions[0], actions[0]]);
  assert.deepEqual(a, b);
});

Deno.test("an installation that does not work is one line with the mend, after a few tries", async () => {
  const broken = (script: string) => options({ command: { program: "sh", args: ["-c", script], env: {} } });
  const cases: [LiberoPoolOptions, RegExp][] = [
    [
      broken(`echo "ModuleNotFoundError: No module named 'robosuite'" >&2; exit 1`),
      /^Cannot go on with LIBERO: 4 processes of lane 0 failed in a row at start, the last: exit code 1: ModuleNotFoundError: No module named 'robosuite' \(package robosuite is missing, run "deno task setup:libero"\)$/,
    ],
    [
      broken(`echo "ImportError: libOSMesa.so.8: cannot open shared object file: No such file" >&2; exit 1`),
      /the system lacks libOSMesa\.so\.8, install the packages that "deno task exp doctor libero" names\)$/,
    ],
    [
      broken("kill -9 $$"),
      /the last: killed by SIGKILL \(probably out of memory: each process takes some 700 MB/,
    ],
    [broken("echo hello; sleep 20"), /garbage instead of a reply: a header of \d+ bytes/],
    [
      options({ command: { program: "/no/python", args: [], env: {} } }),
      /^Cannot start LIBERO with \/no\/python: .*\(run "deno task setup:libero"\)$/,
    ],
    [
      options({
        command: { program: "sleep", args: ["20"], env: {} },
        deadlines: { ...quick, hello: { total: 5000, silence: 100 } },
      }),
      /the last: silent for 0\.1 s during hello$/,
    ],
  ];
  for (const [wrong, message] of cases) {
    await assert.rejects(LiberoPool.open(wrong), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});

Deno.test("a pool refuses what its lanes cannot do, and goes on", async () => {
  await using pool = await LiberoPool.open(options());
  const action = new Float32Array(7);
  await assert.rejects(pool.step([action, undefined]), { message: /lane 0: it has no running episode/ });
  await assert.rejects(pool.reset(2, "left", first.state), { message: /the pool has lanes 0 ... 1$/ });
  await assert.rejects(pool.reset(0, "moon", first.state), {
    message: 'Cannot find task "moon": fake has left, right, impossible',
  });
  await assert.rejects(pool.reset(0, "left", { split: "evaluation", index: 50 }), {
    message: /must be 0 ... 49$/,
  });
  await assert.rejects(pool.reset(0, "impossible", first.state), { message: "Error: out of cups" });
  await assert.rejects(pool.reset(0, "left", first.state, new Float32Array(8)), {
    message: /multiple of 7$/,
  });
  await assert.rejects(pool.reset(0, "left", first.state, new Float32Array(7 * 25)), {
    message: /after 24 steps$/,
  });
  await pool.reset(0, "left", first.state);
  await assert.rejects(pool.step([new Float32Array([NaN, 0, 0, 0, 0, 0, 0]), undefined]), {
    message: /7 finite numbers$/,
  });
  const [taken, idle] = await pool.step([action, undefined]);
  assert.ok(taken && !idle);
  const resetting = pool.reset(1, "left", first.state);
  await assert.rejects(pool.reset(1, "left", first.state), { message: /lane 1 while it is at work/ });
  await resetting;
});

Deno.test({
  name: "no process outlives the program that started it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using command = await harmed(fake);
    const source = `
      import { LiberoLane } from ${JSON.stringify(new URL("./libero_lane.ts", import.meta.url).href)};
      const lane = new LiberoLane(0, { command: ${
      JSON.stringify(command.command)
    }, open: {}, settle: 0, note() {} });
      await lane.start();
      Deno.kill(Deno.pid, "SIGKILL");`;
    const script = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(script, source);
    const config = fileURLToPath(new URL("../deno.json", import.meta.url));
    const { signal } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, script],
    }).output();
    await Deno.remove(script);
    assert.equal(signal, "SIGKILL");
    const [pid] = await command.pids();
    for (let i = 0; i < 100 && await alive(pid!); i++) await new Promise((done) => setTimeout(done, 50));
    assert.ok(!await alive(pid!), `process ${pid} is left`);
  },
});
