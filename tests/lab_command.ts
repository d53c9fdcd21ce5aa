/** Runs `exp` as people do, in a process of its own, for tests. */

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
