/**
 * `deno task setup:lerobot`: makes the LeRobot bridge's own Python environment in `.lerobot/`, from requirements with hashes.
 * A second run is done in a moment.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstLine } from "../lab/errors.ts";
import {
  packageVersions,
  type Places,
  places,
  requirementsDigest,
  settingsOf,
  wantedVersion,
} from "../stages/lerobot_install.ts";
import type { Made } from "../process/python_environment.ts";
import { reasonOf, run } from "./libero_environment.ts";

/** Tried in this order. LeRobot 0.6 wants 3.12 or later; the pinned packages have wheels for these two. */
const candidates = ["python3.12", "python3.13", "python3", "python"] as const;

/**
 * Sets the bridge up and says each step.
 *
 * @throws {Error} when a step fails, in one line; the whole output is in `setup.log`
 */
export async function setup(where: Places, say: (line: string) => void): Promise<void> {
  try {
    mkdirSync(where.home, { recursive: true });
    writeFileSync(join(where.home, ".gitignore"), "*\n");
  } catch (error) {
    throw new Error(`Cannot make ${where.home}: the folder cannot be written (${firstLine(error)})`);
  }
  using lock = Deno.openSync(join(where.home, "lock"), { create: true, write: true });
  await lock.lock(true); // two setups at once would delete each other's work
  const current = currentPython(where);
  const python = current ?? await make(where, say);
  say(`environment: ${python}${current ? ", up to date" : ""}`);
  const { lerobot, torch, transformers } = packageVersions(python);
  say(`lerobot ${lerobot}, torch ${torch}, transformers ${transformers}`);
}

/** The interpreter of an environment that was made of today's requirements. */
function currentPython(where: Places): string | undefined {
  const settings = settingsOf(where);
  if (settings?.made !== requirementsDigest(where)) return undefined;
  return packageVersions(settings.python).lerobot === wantedVersion(where) ? settings.python : undefined;
}

async function make(where: Places, say: (line: string) => void): Promise<string> {
  const { home, bridge, variables } = where;
  const base = await findPython(variables);
  const folder = join(home, "venv"), python = join(folder, "bin", "python");
  const log: string[] = [];
  const step = async (what: string, program: string, args: string[]) => {
    say(what);
    const { ok, lines } = await run(program, args, { ...variables, PYTHONNOUSERSITE: "1" });
    log.push(`$ ${program} ${args.join(" ")}`, ...lines);
    writeFileSync(join(home, "setup.log"), log.join("\n") + "\n");
    if (ok) return;
    const reason = reasonOf(lines).replace("1.5 GB", "6 GB");
    throw new Error(`Cannot make LeRobot's environment: ${reason} (${join(home, "setup.log")})`);
  };
  await step(`venv ${folder} of ${base}`, base, ["-m", "venv", "--clear", folder]);
  await step("installing LeRobot and PyTorch (5.3 GB, some minutes)", python, [
    ...["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps"],
    ...["--only-binary=:all:", "-r", join(bridge, "requirements.txt")],
  ]);
  await step("importing it", python, ["-c", "import lerobot, torch, transformers, datasets, av, msgpack"]);
  const settings: Made = { python, made: requirementsDigest(where) };
  const path = join(home, "settings.json");
  writeFileSync(`${path}.tmp`, JSON.stringify(settings, null, 2) + "\n");
  renameSync(`${path}.tmp`, path);
  return python;
}

async function findPython(variables: Places["variables"]): Promise<string> {
  const seen: string[] = [];
  for (const name of candidates) {
    const probe = await run(name, [
      "-c",
      "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])",
    ], variables);
    const [path = "", version = ""] = probe.lines;
    if (!probe.ok || !/^3\.\d+$/.test(version)) continue;
    if (version === "3.12" || version === "3.13") return path;
    seen.push(`${name} is ${version}`);
  }
  const found = seen.length > 0 ? seen.join(", ") : "none was found";
  throw new Error(
    `Cannot make LeRobot's environment: it needs Python 3.12 or 3.13 on PATH (${found}); install one`,
  );
}

if (import.meta.main) {
  try {
    await setup(places(), (line) => console.log(line));
  } catch (error) {
    console.error(firstLine(error));
    Deno.exit(1);
  }
}
