/** Makes the LIBERO worker's own Python environment: finds a Python, makes a venv, installs hashed requirements. */
import { join } from "node:path";
import { type Places, requirementsDigest, type Settings, settingsOf } from "../envs/libero_install.ts";

/** Tried in this order: the first ones have wheels of the versions that published numbers were made with. */
const candidates = ["python3.12", "python3.11", "python3.10", "python3.13", "python3", "python"] as const;

/** A Python that can make the environment. */
export interface Interpreter {
  readonly path: string;
  readonly version: string;
}

/** What a command left. */
export interface Outcome {
  readonly ok: boolean;
  /** Standard output and error, line by line. */
  readonly lines: readonly string[];
}

/**
 * The first Python of 3.10 ... 3.13: `LIBERO_PYTHON` alone where it is set, else those on `PATH`.
 *
 * @throws {Error} when there is none
 */
export async function findPython({ variables }: Places): Promise<Interpreter> {
  const given = variables.LIBERO_PYTHON;
  const seen: string[] = [];
  for (const name of given ? [given] : candidates) {
    const probe = await run(name, [
      "-c",
      "import sys; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3])",
    ], variables);
    const [path = "", version = ""] = probe.lines;
    if (!probe.ok || !/^3\.\d+\.\d+$/.test(version)) continue;
    const minor = Number(version.split(".")[1]);
    if (minor >= 10 && minor <= 13) return { path, version };
    seen.push(`${name} is ${version}`);
  }
  const found = seen.length > 0 ? seen.join(", ") : given ? `${given} does not start` : "none was found";
  throw new Error(
    `Cannot make LIBERO's environment: it needs Python 3.10 ... 3.13 (${found}); install one, or set LIBERO_PYTHON`,
  );
}

/** What there is already, if it was made of today's requirements. */
export function currentEnvironment(where: Places): Settings | undefined {
  const settings = settingsOf(where);
  if (settings?.made !== requirementsDigest(where)) return undefined;
  try {
    Deno.statSync(settings.python);
    return settings;
  } catch {
    return undefined;
  }
}

/**
 * Makes the environment anew and returns its interpreter; the settings are the caller's to write.
 *
 * @throws {Error} when a step fails; one line, and the whole output in `setup.log`
 */
export async function makeEnvironment(
  where: Places,
  { path }: Interpreter,
  say: (line: string) => void,
): Promise<string> {
  const { home, worker, variables } = where;
  const folder = join(home, "venv"), python = join(folder, "bin", "python");
  const log: string[] = [];
  const step = async (what: string, program: string, args: string[]) => {
    say(what);
    const { ok, lines } = await run(program, args, { ...variables, PYTHONNOUSERSITE: "1" });
    log.push(`$ ${program} ${args.join(" ")}`, ...lines);
    Deno.writeTextFileSync(join(home, "setup.log"), log.join("\n") + "\n");
    if (!ok) {
      throw new Error(`Cannot make LIBERO's environment: ${reasonOf(lines)} (${join(home, "setup.log")})`);
    }
  };
  await step(`venv ${folder}`, path, ["-m", "venv", "--clear", folder]);
  const pip = [
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--no-input",
    "--require-hashes",
    "--no-deps",
  ];
  // bddl is the one package without a wheel: what builds it is hashed, too.
  await step("installing what builds packages", python, [
    ...pip,
    "--only-binary=:all:",
    "-r",
    join(worker, "requirements_build.txt"),
  ]);
  await step("installing the simulator (1.4 GB, about a minute)", python, [
    ...pip,
    "--no-build-isolation",
    "--only-binary=:all:",
    "--no-binary=bddl",
    "-r",
    join(worker, "requirements.txt"),
  ]);
  await step("importing it", python, ["-c", "import mujoco, numpy, scipy, numba, cv2, bddl, msgpack"]);
  return python;
}

/** The line of a failed step that says why, in plain words where it is a known one. */
export function reasonOf(lines: readonly string[]): string {
  const text = lines.join("\n");
  if (/ensurepip is not|No module named '?(venv|ensurepip)/.test(text)) {
    return "this Python has no venv module, install it (Debian, Ubuntu: apt install python3-venv)";
  }
  if (
    /NewConnectionError|ConnectTimeout|Temporary failure in name|ProxyError|Network is unreachable|\(from versions: none\)/
      .test(text)
  ) {
    return "the package index cannot be reached, check the network or pip's configuration";
  }
  if (/No space left on device|Errno 28/.test(text)) return "the disk is full, 1.5 GB are needed";
  if (/THESE PACKAGES DO NOT MATCH THE HASHES/.test(text)) {
    return "a package of the index is not the one that was pinned";
  }
  if (/Permission denied|Read-only file system/.test(text)) return "the folder cannot be written";
  const errors = lines.filter((line) => /^(ERROR|Error|error)\b|Error:/.test(line));
  return (errors.at(-1) ?? lines.at(-1) ?? "its process ended").replace(/^ERROR:\s*/, "").replace(/\.$/, "");
}

/** Runs a program to its end; one that cannot be started has failed. */
export async function run(
  program: string,
  args: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
): Promise<Outcome> {
  const env = Object.fromEntries(
    Object.entries(variables).flatMap(([k, v]) => v === undefined ? [] : [[k, v]]),
  );
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      env,
      clearEnv: true,
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return { ok: success, lines: text.split("\n").map((line) => line.trim()).filter(Boolean) };
  } catch (error) {
    return { ok: false, lines: [error instanceof Error ? error.message : String(error)] };
  }
}
