/** Runs `exp` as people do, in a process of its own, for tests. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The lab's own test experiments. */
export const TINY = ["--experiments", "tests/lab_experiments/"];

const repository = new URL("../", import.meta.url);

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stderr without colours, by lines. */
  readonly lines: readonly string[];
}

/** A command that may still be running. */
export interface Running {
  readonly ended: Promise<Ended>;
  kill(signal: Deno.Signal): void;
}

/** Starts `exp` with `args` in the checkout at `root` (this one by default). */
export function start(args: readonly string[], root: URL = repository): Running {
  const script = new URL("tasks/exp.ts", root).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const ended = child.output().then(({ code, stdout, stderr }) => {
    const lines = text(stderr).split("\n").filter((line) => line !== "");
    return { code, stdout: text(stdout), stderr: text(stderr), lines };
  });
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has just ended by itself.
    }
  };
  return { ended, kill };
}

/** Runs `exp` to its end. */
export function exp(args: readonly string[], root?: URL): Promise<Ended> {
  return start(args, root).ended;
}

/** A temporary folder, removed when disposed. */
export async function temporary() {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "uplift-lab-" }));
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** The document of `run --json`, as far as tests read it. */
export interface RunDocument {
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

/** States by stage. */
export const states = ({ stages }: RunDocument) =>
  Object.fromEntries(stages.map(({ name, state }) => [name, state]));

/** The tiny experiment's states when nothing had to be made. */
export const ALL_HIT = { widths: "hit", left: "hit", right: "hit", summary: "hit" };

/** Runs the tiny experiment with --json. */
export async function run(store: string, args: readonly string[] = [], root?: URL) {
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
export async function clone() {
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
