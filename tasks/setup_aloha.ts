/**
 * `deno task setup:aloha`: makes the Gymnasium worker's own Python environment in `.aloha/` from hashed requirements. A
 * second run is done in a moment.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  alohaPackages,
  type AlohaPlaces,
  alohaPlaces,
  alohaPython,
  alohaRequirements,
} from "../envs/aloha_install.ts";
import { firstLine } from "../lab/errors.ts";
import { reasonOf } from "./libero_environment.ts";

/** Tried in this order; the requirements have wheels for these. */
const candidates = ["python3.12", "python3.11", "python3.13", "python3", "python"] as const;

/**
 * Sets ALOHA up and says each step.
 *
 * @throws {Error} when a step fails, in one line
 */
export async function setupAloha(where: AlohaPlaces, say: (line: string) => void): Promise<void> {
  const { home, python: packages } = where;
  const here = { ...where, variables: { ...where.variables, ALOHA_PYTHON: undefined } };
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, ".gitignore"), "*\n");
  using lock = Deno.openSync(join(home, "lock"), { create: true, write: true });
  await lock.lock(true); // two setups at once would delete each other's work
  try {
    say(`environment: ${alohaPython(here)}, up to date`);
  } catch {
    const interpreter = await findPython(where.variables.ALOHA_PYTHON);
    const folder = join(home, "venv"), python = join(folder, "bin", "python");
    say(`venv ${folder}`);
    await run(interpreter, ["-m", "venv", "--clear", folder]);
    say("installing the simulator (500 MB, about a minute)");
    const flags = [
      "--disable-pip-version-check",
      "--no-input",
      "--require-hashes",
      "--no-deps",
      "--only-binary=:all:",
    ];
    const requirements = join(packages, "gym_worker", "requirements.txt");
    await run(python, ["-m", "pip", "install", ...flags, "-r", requirements]);
    say("importing it");
    await run(python, ["-c", "import gym_aloha, dm_control.mujoco, msgpack"]);
    writeFileSync(join(home, "made"), alohaRequirements(where) + "\n"); // last, so that a broken setup is none
    say(`environment: ${python}`);
  }
  const versions = alohaPackages(alohaPython(here));
  say(`gym-aloha ${versions["gym-aloha"]}, mujoco ${versions.mujoco}, dm-control ${versions["dm-control"]}`);
}

async function findPython(given: string | undefined): Promise<string> {
  const script =
    "import sys; print(sys.executable) if (3, 11) <= sys.version_info[:2] <= (3, 13) else sys.exit(1)";
  for (const name of given ? [given] : candidates) {
    try {
      return (await run(name, ["-c", script])).trim();
    } catch {
      // another one
    }
  }
  throw new Error(
    "Cannot make ALOHA's environment: it needs Python 3.11 ... 3.13; install one, or set ALOHA_PYTHON",
  );
}

async function run(program: string, args: string[]): Promise<string> {
  const env = { PYTHONNOUSERSITE: "1", MUJOCO_GL: "osmesa" };
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const { success, stdout, stderr } = await new Deno.Command(program, { args, env, stdin: "null" }).output();
  if (success) return text(stdout);
  const lines = (text(stdout) + text(stderr)).split("\n").map((line) => line.trim()).filter(Boolean);
  throw new Error(`Cannot make ALOHA's environment: ${reasonOf(lines)}`);
}

if (import.meta.main) {
  try {
    await setupAloha(alohaPlaces(), (line) => console.log(line));
  } catch (error) {
    console.error(firstLine(error));
    Deno.exit(1);
  }
}
