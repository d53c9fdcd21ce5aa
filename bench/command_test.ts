import assert from "node:assert/strict";
import { count, device, flag, list, oneOf, parse, text } from "./command.ts";
import { machine } from "./machine.ts";
import { peer } from "./race.ts";

const options = {
  device: device(),
  threads: list(count(2), [2]),
  rounds: count(5),
  from: count(0, 0),
  only: oneOf(["a", "b"], undefined),
  peers: text(),
  noise: flag(true),
  json: flag(),
};

Deno.test("parse() gives what holds without options, and what options say", () => {
  const none = parse(options, []);
  assert.deepEqual(none.values, {
    ...{ device: "cpu", threads: [2], rounds: 5, from: 0, only: undefined, peers: undefined },
    ...{ noise: true, json: false },
  });
  const { values, words } = parse(
    options,
    ["--", "sac", "--threads", "1,2", "--rounds=7", "--no-noise", "--json", "--only", "b", "pld"],
    ["sac", "pld"],
  );
  assert.deepEqual(words, ["sac", "pld"]);
  assert.deepEqual([values.threads, values.rounds, values.only], [[1, 2], 7, "b"]);
  assert.deepEqual([values.noise, values.json], [false, true]);
});

Deno.test("parse() refuses what it does not know in one line", () => {
  const wrong: Record<string, RegExp> = {
    "--nope": /^Cannot use --nope: the options are --device, --threads, /,
    "--no-rounds": /^Cannot use --no-rounds: the options are/,
    "--device gpu": /^Cannot use --device gpu: it must be one of cpu, cuda$/,
    "--threads 1,x": /^Cannot use --threads 1,x: it must be a whole number, 1 or more, or several/,
    "--threads 1,,2": /^Cannot use --threads 1,,2: /,
    "--rounds abc": /^Cannot use --rounds abc: it must be a whole number, 1 or more$/,
    "--rounds 0": /^Cannot use --rounds 0: /,
    "--rounds -3": /^Cannot use --rounds -3: /,
    "--rounds 1.5": /^Cannot use --rounds 1.5: /,
    "--from -1": /^Cannot use --from -1: it must be a whole number, 0 or more$/,
    "--only nope": /^Cannot use --only nope: it must be one of a, b$/,
    "--rounds": /^Cannot use --rounds without a value: it must be a whole number/,
    "--peers --json": /^Cannot use --peers without a value: it must be a name or path$/,
    "--json=3": /^Cannot use --json with a value: it takes none$/,
    "toString": /^Cannot use "toString": it must be one of sac$/,
    "--toString 1": /^Cannot use --toString: the options are/,
  };
  for (const [line, message] of Object.entries(wrong)) {
    assert.throws(() => parse(options, line.split(" "), ["sac"]), { name: "UsageError", message }, line);
  }
});

/** Runs a file that holds `code` after the imports of command.ts. */
async function run(code: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const from = new URL("./command.ts", import.meta.url).href;
    await Deno.writeTextFile(file, `import { command, count } from ${JSON.stringify(from)};\n${code}\n`);
    const started = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "--no-check", file, ...args] });
    const { code: exit, stdout, stderr } = await started.output();
    const said = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code: exit, out: said(stdout), err: said(stderr) };
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("command() says errors in one line, and ends with the code that they have", async () => {
  const main = `await command({ n: count(1) }, async ({ n }) => {
    if (n === 2) throw new Error("Cannot go on: a reason.\\nMore");
    console.log("n", n);
    if (n === 3) return 7;
  });`;
  assert.deepEqual(await run(main, "--n", "1"), { code: 0, out: "n 1\n", err: "" });
  assert.deepEqual(await run(main, "--n", "2"), { code: 1, out: "", err: "Cannot go on: a reason\n" });
  assert.deepEqual(await run(main, "--n", "3"), { code: 7, out: "n 3\n", err: "" });
  const err = "Cannot use --n x: it must be a whole number, 1 or more\n";
  assert.deepEqual(await run(main, "--n", "x"), { code: 2, out: "", err });
});

Deno.test("every benchmark takes its options through command()", async () => {
  const folder = new URL("./", import.meta.url);
  let commands = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".ts") || name.endsWith("_test.ts") || name === "command.ts") continue;
    const code = await Deno.readTextFile(new URL(name, folder));
    if (code.includes("\nawait command(")) commands++;
    else assert.doesNotMatch(code, /parseArgs|Deno\.args|Deno\.exit/, `bench/${name} does not`);
  }
  assert.ok(commands >= 15, `only ${commands} benchmarks were seen`);
});

/** A program that stands in for a Python: its script is given the peer's arguments. */
async function shell(script: string, test: (python: string) => Promise<void>): Promise<void> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await test(file);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("peer() asks for runs, and ends its process when disposed", () =>
  shell(
    `echo ready; while read n; do echo "$n.5"; done; touch "$0.ended"`,
    async (python) => {
      {
        await using times = await peer(python, "sac_torch", 2, 20);
        assert.equal(await times(), 20.5);
        assert.equal(await times(), 20.5);
      }
      await Deno.remove(`${python}.ended`); // there, as the process went on to its end
    },
  ));

Deno.test("peer() says why there is none", async () => {
  await assert.rejects(peer("/nowhere/python", "sac_torch", 2, 20), {
    message: "Cannot start /nowhere/python: it must be a Python that has the peers' packages",
  });
  await shell(
    `echo Traceback >&2; echo "ModuleNotFoundError: torch" >&2; exit 1`,
    (python) =>
      assert.rejects(peer(python, "sac_torch", 2, 20), {
        message: "Cannot time sac_torch.py: ModuleNotFoundError: torch",
      }),
  );
  await shell("echo ready; read n; echo nan; read n", async (python) => {
    await using times = await peer(python, "sac_torch", 2, 20);
    await assert.rejects(times(), { message: 'Cannot time sac_torch.py: it says "nan" instead of a time' });
  });
  await shell("echo ready; read n", async (python) => {
    await using times = await peer(python, "sac_torch", 2, 20);
    await assert.rejects(times(), { message: "Cannot time sac_torch.py: it ended early" });
  });
});

Deno.test("machine() names what a figure depends on", async () => {
  const { os, cores, cpu, onnxruntime, deno } = await machine();
  assert.equal(os, Deno.build.os);
  assert.ok(cores >= 1 && cpu.length > 0);
  assert.match(onnxruntime, /^\d+\.\d+\.\d+$/);
  assert.equal(deno, Deno.version.deno);
});
