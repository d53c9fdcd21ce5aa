import assert from "node:assert/strict";
import { join } from "node:path";
import { ALL_HIT, exp, run, type RunDocument, start, states, temporary, TINY } from "./lab_command.ts";

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

Deno.test("mistakes on the command line: exit 2, one line, the nearest name, and no store", async () => {
  await using folder = await temporary();
  const store = join(folder.path, "store");
  const cases: [string[], RegExp][] = [
    [["run", "tiny-walks", "--set", "learner.gama=0.9"], /^Cannot set learner\.gama: .*"learner\.gamma"$/],
    [
      ["run", "tiny-walks", "--set", "learner.gamma=two"],
      /^Cannot set learner\.gamma to "two": expected a number/,
    ],
    [["run", "tiny-walks", "--seed", "-1"], /^Cannot use seed -1: seeds are non-negative integers/],
    [["run", "walks"], /^Cannot find experiment "walks"; there are tiny-dice, tiny-walks$/],
    [["run", "tiny-walks", "--heap", "no"], /^Cannot use --heap no: give a positive integer$/],
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
    const { code, lines, stdout } = await exp([...args, ...TINY, "--store", store]);
    assert.deepEqual([code, lines.length, stdout], [2, 1, ""], args.join(" "));
    assert.match(lines[0]!, message);
    await assert.rejects(Deno.stat(store), Deno.errors.NotFound);
  }
});

Deno.test("the help of --set and --rerun shows no default: there is none", async () => {
  const { code, stdout } = await exp(["run", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /--set <path=value> +one hyperparameter, may be repeated\n/);
  assert.doesNotMatch(stdout, /default: \[\]/);
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

Deno.test("verify and --rerun find a stage that is not repeatable; its first outcome stays", async () => {
  await using folder = await temporary();
  const args = ["tiny-dice", ...TINY, "--store", folder.path, "--json"];
  const first = JSON.parse((await exp(["run", ...args])).stdout) as RunDocument;
  const { code, stdout } = await exp(["verify", ...args]);
  const [{ verdict, first: difference }] = JSON.parse(stdout).outputs;
  assert.deepEqual([code, verdict], [1, "different"]);
  assert.match(difference, /word/);
  const again = await exp(["run", ...args, "--rerun", "dice"]);
  assert.match(
    again.stderr,
    /Stage "dice" gave other bytes than before: the first outcome stays, run exp verify/,
  );
  assert.equal(JSON.parse(again.stdout).result, first.result);
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
  assert.deepEqual(experiments[1].seeds[0], { seed: 0, stages: 4, done: 1, state: "partly" });
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
