import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { exp, start, temporary, TINY } from "./lab_command.ts";

interface RunDocument {
  result: string | null;
  definition: string;
  stages: {
    name: string;
    key: string;
    state: string;
    outputs: Record<string, { digest: string; bytes: number }>;
    error?: string;
  }[];
}

const states = ({ stages }: RunDocument) =>
  Object.fromEntries(stages.map(({ name, state }) => [name, state]));
const ALL_HIT = { widths: "hit", left: "hit", right: "hit", summary: "hit" };

/** Runs the tiny experiment with --json. */
async function run(store: string, args: readonly string[] = [], root?: URL) {
  const { code, stdout, stderr } = await exp([
    "run",
    "tiny-walks",
    ...TINY,
    "--store",
    store,
    "--json",
    ...args,
  ], root);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as RunDocument;
}

/** A checkout of what the tiny experiment needs, elsewhere. */
async function clone() {
  const folder = await temporary();
  const root = new URL(`${pathToFileURL(folder.path).href}/`);
  const here = new URL("../", import.meta.url);
  const copy = async (path: string): Promise<void> => {
    const from = new URL(path, here);
    if ((await Deno.stat(from)).isFile) {
      await Deno.mkdir(new URL("./", new URL(path, root)), { recursive: true });
      return Deno.copyFile(from, new URL(path, root));
    }
    for await (const { name } of Deno.readDir(from)) await copy(`${path}/${name}`);
  };
  const paths = [
    "lab",
    "tasks",
    "tests/lab_stages",
    "tests/lab_experiments",
    "random.ts",
    "deno.json",
    "deno.lock",
  ];
  for (const path of paths) await copy(path);
  await Deno.symlink(new URL("node_modules", here).pathname, new URL("node_modules", root).pathname);
  const edit = async (path: string, change: (text: string) => string) => {
    const url = new URL(path, root);
    await Deno.writeTextFile(url, change(await Deno.readTextFile(url)));
  };
  return {
    root,
    edit,
    store: join(folder.path, "store"),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

Deno.test("the same command again answers from the store in under 3 seconds", async () => {
  await using folder = await temporary();
  const first = await run(folder.path);
  assert.deepEqual(states(first), { widths: "run", left: "run", right: "run", summary: "run" });
  const before = performance.now();
  const second = await run(folder.path);
  assert.ok(performance.now() - before < 3000);
  assert.deepEqual(states(second), ALL_HIT);
  assert.equal(second.result, first.result);
  assert.match(first.result!, /^[0-9a-f]{64}$/);
});

Deno.test("two checkouts, two stores, one and two jobs: the same result; all stages verify bitwise", async () => {
  await using other = await clone();
  await using folder = await temporary();
  const here = await run(folder.path, ["--preset", "smoke", "--jobs", "1"]);
  const there = await run(other.store, ["--preset", "smoke", "--jobs", "2"], other.root);
  assert.equal(there.result, here.result);
  assert.deepEqual(there.stages.map(({ key }) => key), here.stages.map(({ key }) => key));
  const args = ["verify", "tiny-walks", ...TINY, "--preset", "smoke", "--store", folder.path, "--json"];
  const { code, stdout } = await exp(args);
  assert.equal(code, 0);
  const { outputs } = JSON.parse(stdout) as { outputs: { stage: string; verdict: string }[] };
  assert.deepEqual(outputs.map(({ stage, verdict }) => `${stage} ${verdict}`), [
    "widths bitwise",
    "left bitwise",
    "right bitwise",
    "summary bitwise",
    "summary bitwise",
  ]);
});

Deno.test("a comment reruns nothing, a constant exactly the stages that reach it, and `why` names it", async () => {
  await using repo = await clone();
  await run(repo.store, [], repo.root);
  for (
    const path of ["tests/lab_stages/rounding.ts", "tests/lab_stages/walk.ts", "random.ts", "lab/runner.ts"]
  ) {
    await repo.edit(path, (text) => `/* A comment. */\n\n${text}\n// The end\n`);
  }
  assert.deepEqual(states(await run(repo.store, [], repo.root)), ALL_HIT);
  await repo.edit("tests/lab_stages/rounding.ts", (text) => text.replace("DIGITS = 6", "DIGITS = 5"));
  const why = ["why", "tiny-walks/summary", ...TINY, "--store", repo.store, "--json"];
  const { differences, stored } = JSON.parse((await exp(why, repo.root)).stdout);
  assert.deepEqual(differences.map(({ field }: { field: string }) => field), [
    "code tests/lab_stages/rounding.ts",
  ]);
  assert.equal(stored, false);
  assert.deepEqual(states(await run(repo.store, [], repo.root)), { ...ALL_HIT, summary: "run" });
});

Deno.test("mistakes on the command line: exit 2, one line, the nearest name", async () => {
  await using folder = await temporary();
  const cases: [string[], RegExp][] = [
    [["run", "tiny-walks", "--set", "learner.gama=0.9"], /^Cannot set learner\.gama: .*"learner\.gamma"$/],
    [
      ["run", "tiny-walks", "--set", "learner.gamma=two"],
      /^Cannot set learner\.gamma to "two": expected a number/,
    ],
    [["run", "tiny-walks", "--seed", "-1"], /^Cannot use seed -1: seeds are non-negative integers/],
    [["run", "tiny-walk"], /^Cannot find experiment "tiny-walk", did you mean "tiny-walks"$/],
    [
      ["run", "tiny-walks", "--only", "lefd"],
      /^Cannot find stage "lefd" in tiny-walks, did you mean "left"$/,
    ],
    [
      ["run", "tiny-walks", "--prest", "smoke"],
      /^error: unknown option '--prest' \(Did you mean --preset\?\)$/,
    ],
    [["why", "tiny-walks"], /^Cannot explain "tiny-walks": name a stage/],
    [["show", "abcdef123"], /^Cannot find a run by "abcdef123"/],
    [["run", "tiny-walks", "--params", "/nowhere.yaml"], /^Cannot read parameters from \/nowhere\.yaml: /],
  ];
  for (const [args, message] of cases) {
    const { code, lines, stdout } = await exp([...args, ...TINY, "--store", folder.path]);
    assert.deepEqual([code, lines.length, stdout], [2, 1, ""], args.join(" "));
    assert.match(lines[0]!, message);
  }
});

Deno.test("a stage that fails does not stop the others: one line, exit 1, the trace in its log", async () => {
  await using folder = await temporary();
  const command = (
    how: string,
  ) => ["run", "tiny-walks", ...TINY, "--store", folder.path, "--json", "--set", `fail=${how}`];
  const causes = {
    throw: "told to fail",
    exit: "exit code 7",
    wait: "never comes",
    memory: "out of memory: --heap 64 (MiB) is too little",
  };
  for (const [how, cause] of Object.entries(causes)) {
    const { code, stdout, lines } = await exp([...command(how), "--heap", "64"]);
    assert.equal(code, 1);
    const document = JSON.parse(stdout) as RunDocument;
    assert.equal(document.result, null);
    assert.equal(document.stages.find(({ name }) => name === "right")!.state === "failed", false);
    assert.equal(document.stages.find(({ name }) => name === "summary")!.state, "failed");
    const line = lines.find((each) => each.startsWith('Cannot run stage "summary": '))!;
    assert.ok(line.includes(cause), line);
    const log = await Deno.readTextFile(line.slice(line.indexOf("see ") + 4));
    if (how === "throw") assert.match(log, /Error: Cannot summarize: told to fail\n\s+at /);
  }
  assert.equal((await exp(["fsck", "--store", folder.path])).code, 0);
});

Deno.test("ctrl-C: exit 130, one line that says it resumes, a clean store, and the same result after it", async () => {
  await using folder = await temporary();
  const slow = ["--set", "learner.steps=100", "--set", "learner.pauseMs=10", "--jobs", "2"];
  const running = start(["run", "tiny-walks", ...TINY, "--store", folder.path, ...slow]);
  await untilCheckpointable(folder.path);
  running.kill("SIGINT");
  const { code, lines } = await running.ended;
  assert.equal(code, 130);
  assert.equal(lines.at(-1), "Interrupted: the same command resumes where this one stopped");
  assert.equal((await exp(["fsck", "--store", folder.path])).code, 0);
  const resumed = await run(folder.path, slow);
  await using undisturbed = await temporary();
  assert.equal(resumed.result, (await run(undisturbed.path, slow)).result);
});

Deno.test("two processes that want the same stage make it once; the second says for whom it waits", async () => {
  await using folder = await temporary();
  const slow = ["--set", "learner.steps=100", "--set", "learner.pauseMs=10"];
  const args = ["run", "tiny-walks", ...TINY, "--store", folder.path, "--json", "--only", "left", ...slow];
  const both = await Promise.all([exp(args), exp(args)]);
  const left = both.map(({ stdout }) => states(JSON.parse(stdout)).left).sort();
  assert.deepEqual(left, ["hit", "run"]);
  assert.match(both.map(({ stderr }) => stderr).join(), /left: waiting for process \d+ \(tiny-walks\/left\)/);
});

Deno.test("a damaged object is found by the next run, named, moved aside and made again", async () => {
  await using folder = await temporary();
  const first = await run(folder.path);
  const { digest } = first.stages.find(({ name }) => name === "left")!.outputs.path!;
  const hex = digest.slice("sha256:".length);
  const path = join(folder.path, "objects", "sha256", hex.slice(0, 2), hex.slice(2));
  await Deno.chmod(path, 0o644);
  await Deno.truncate(path, 100);
  const { code, stdout, stderr } = await exp([
    "run",
    "tiny-walks",
    ...TINY,
    "--store",
    folder.path,
    "--json",
  ]);
  assert.equal(code, 0);
  assert.match(stderr, new RegExp(`Found damaged object ${digest} \\("path" of stage "left"\\): moved to `));
  const second = JSON.parse(stdout) as RunDocument;
  assert.deepEqual(states(second), { ...ALL_HIT, left: "run" });
  assert.equal(second.result, first.result);
  assert.equal((await exp(["fsck", "--store", folder.path])).code, 0);
});

Deno.test("gc keeps what was asked for and drops what nothing reaches", async () => {
  await using repo = await clone();
  await run(repo.store, ["--set", "learner.gamma=0.5"], repo.root);
  const gc = async (...args: string[]) => {
    const { code, stdout, stderr } = await exp(
      ["gc", ...TINY, "--store", repo.store, "--json", ...args],
      repo.root,
    );
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as { outcomes: { name: string }[]; objects: string[] };
  };
  assert.deepEqual((await gc()).outcomes, []);
  await repo.edit("tests/lab_stages/rounding.ts", (text) => text.replace("DIGITS = 6", "DIGITS = 5"));
  assert.deepEqual((await gc()).outcomes.map(({ name }) => name), ["summary"]);
  assert.equal((await gc("--yes")).objects.length, 2);
  assert.deepEqual((await gc()).outcomes, []);
  assert.equal((await exp(["fsck", "--store", repo.store])).code, 0);
});

Deno.test("list, show and doctor print one JSON document with --json", async () => {
  await using folder = await temporary();
  const { definition, result } = await run(folder.path, ["--preset", "smoke"]);
  const ask = async (...args: string[]) => {
    const { code, stdout, stderr } = await exp([...args, ...TINY, "--store", folder.path, "--json"]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const { experiments } = await ask("list");
  assert.deepEqual(experiments[0].seeds[0], { seed: 0, stages: 4, done: 1, state: "partly" });
  for (const subject of [definition.slice(0, 12), result!.slice(0, 12)]) {
    const shown = await ask("show", subject);
    assert.deepEqual([shown.definition, shown.result, shown.state], [definition, result, "done"]);
  }
  assert.equal((await ask("show", "tiny-walks", "--preset", "smoke")).result, result);
  const { checks } = await ask("doctor");
  assert.deepEqual(checks.map(({ name }: { name: string }) => name), [
    "deno",
    "platform",
    "memory",
    "onnxruntime",
    "mujoco",
    "store",
  ]);
});

/** Waits until a long stage has a slot: then an interruption meets a running stage. */
async function untilCheckpointable(store: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const logs = await Array.fromAsync(Deno.readDir(join(store, "logs"))).catch(() => []);
    if (logs.length > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await new Promise((resolve) => setTimeout(resolve, 700));
}
