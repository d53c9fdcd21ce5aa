/**
 * What the worker refuses, it refuses in one line that names the mend, and it never outlives its parent. Skipped, with
 * the reason in the name, only where LIBERO is not set up.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { workerCommand } from "../envs/libero_pool.ts";
import { LiberoWorker } from "../envs/libero_worker.ts";
import { installation } from "./libero_episodes.ts";

const found = installation();
const skipped = typeof found === "string" ? ` (skipped: ${found})` : "";
const { python, root } = typeof found === "string" ? { python: "", root: "" } : found;
const suite = "libero_spatial";

function test(name: string, run: () => Promise<void>): void {
  Deno.test({ name: `libero worker: ${name}${skipped}`, ignore: skipped !== "", fn: run });
}

/** The message with which a process refuses to open a suite. */
async function refusal(fields: Record<string, unknown>, env: Record<string, string> = {}): Promise<string> {
  const command = workerCommand(python);
  const worker = new LiberoWorker({ ...command, env: { ...command.env, ...env } });
  try {
    await worker.request("open", { suite, root, cameras: [], fast: true, ...fields });
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await worker.close();
  }
}

/** A folder that Python searches before its own packages. */
async function before(files: Record<string, string>): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(join(folder, name, ".."), { recursive: true });
    await Deno.writeTextFile(join(folder, name), text);
  }
  return folder;
}

test("files, cameras and renderers that are not there", async () => {
  assert.match(
    await refusal({ root: "/nowhere" }),
    /^Cannot open the LIBERO files in \/nowhere: .*LIBERO_ASSETS/,
  );
  assert.match(
    await refusal({ suite: "libero_moon" }),
    /^Cannot open suite libero_moon: .* has libero_.*; set LIBERO_ASSETS/,
  );
  assert.match(
    await refusal({ cameras: [["agentview", 0, 64]] }),
    /^Cannot open camera .*: wanted \[name, width/,
  );
  const blind = { MUJOCO_GL: "egl", __EGL_VENDOR_LIBRARY_FILENAMES: "/nowhere" };
  assert.match(
    await refusal({ cameras: [["agentview", 64, 64]] }, blind),
    /^Cannot render cameras: egl: .*apt-get install libosmesa6/,
  );
});

test("packages of another version, broken or missing", async () => {
  const search = (folder: string) => ({ PYTHONPATH: `${folder}:${workerCommand(python).env.PYTHONPATH}` });
  const newer = await before({ "mujoco-3.4.0.dist-info/METADATA": "Name: mujoco\nVersion: 3.4.0\n" });
  assert.match(
    await refusal({}, search(newer)),
    /^Cannot use mujoco 3\.4\.0: wanted 3\.2\.3 to 3\.3\.2 \(.*\); run deno task setup:libero$/,
  );
  const broken = await before({ "robosuite/__init__.py": "import nothing_there\n" });
  assert.match(
    await refusal({}, search(broken)),
    /^Cannot import LIBERO: .*No module named 'nothing_there'; run deno task setup:libero$/,
  );
  const hostile = await before({
    "robosuite/__init__.py": "print('noise on stdout')\nimport nothing_there\n",
  });
  assert.match(
    await refusal({}, search(hostile)),
    /^Cannot import LIBERO/,
    "a print does not reach the replies",
  );
  await Promise.all([newer, broken, hostile].map((folder) => Deno.remove(folder, { recursive: true })));
});

test("requests that make no sense, after which it goes on", async () => {
  const worker = new LiberoWorker(workerCommand(python));
  const start = { split: "evaluation", index: 0, seed: 1, settle: 0 };
  await assert.rejects(worker.request("step", {}, {}), /^Refusal: Cannot step: open a suite first$/);
  const { header } = await worker.request("open", { suite, root, cameras: [], fast: true });
  const task = (header.tasks as { name: string }[])[0]!.name;
  await assert.rejects(
    worker.request("reset", { ...start, task: "nothing" }),
    /Cannot reset to task nothing: the suite has/,
  );
  await assert.rejects(
    worker.request("reset", { ...start, task, index: 50 }),
    /to evaluation state 50: it has 0 to 49$/,
  );
  await assert.rejects(
    worker.request("reset", { ...start, task, seed: -1 }),
    /Cannot reset with seed -1: wanted 0 to/,
  );
  await assert.rejects(worker.request("step", {}, {}), /Cannot step: reset first$/);
  const reset = await worker.request("reset", { ...start, task });
  assert.equal(reset.header.success, false);
  await worker.close();
});

test("garbage and the end of its input end it", async () => {
  const { program, args, env } = workerCommand(python);
  for (
    const [bytes, status] of [[new Uint8Array(), 0], [new TextEncoder().encode("what is this?"), 1]] as const
  ) {
    const child = new Deno.Command(program, {
      args: [...args],
      env,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const input = child.stdin.getWriter();
    await input.write(bytes);
    await input.close();
    assert.equal((await child.status).code, status);
  }
});
