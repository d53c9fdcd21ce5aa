/**
 * `deno task setup:libero [--assets DIR] [--download]`: makes the LIBERO worker's own Python environment in `.libero/`
 * and says what is missing. A second run is done in a moment. `--assets` remembers a folder of LIBERO's data,
 * `--download` fetches the meshes that hf-libero uses.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { missingParts, rootIn } from "../envs/libero_assets.ts";
import {
  libero,
  packageVersions,
  type Places,
  places,
  requirementsDigest,
  type Settings,
  settingsOf,
} from "../envs/libero_install.ts";
import { firstLine } from "../lab/errors.ts";
import { downloadAssets } from "./libero_download.ts";
import { currentEnvironment, findPython, makeEnvironment } from "./libero_environment.ts";

/** What the command line asks for. */
export interface SetupOptions {
  /** A folder of LIBERO's data to remember. */
  readonly assets?: string | undefined;
  /** Fetch the meshes. */
  readonly download?: boolean | undefined;
}

/**
 * Sets LIBERO up and says each step.
 *
 * @throws {Error} when a step fails, in one line
 */
export async function setup(
  options: SetupOptions,
  where: Places,
  say: (line: string) => void,
): Promise<void> {
  let assets: string | undefined;
  if (options.assets !== undefined) {
    assets = resolve(options.assets);
    if (!rootIn(assets)) throw new Error(`Cannot use --assets ${assets}: it has no ${missingParts(assets)}`);
  }
  open(where.home);
  using lock = Deno.openSync(join(where.home, "lock"), { create: true, write: true });
  await lock.lock(true); // two setups at once would delete each other's work

  const current = currentEnvironment(where);
  let python: string;
  if (current) {
    python = current.python;
    say(`environment: ${python}, up to date`);
  } else {
    const interpreter = await findPython(where);
    say(`Python ${interpreter.version}: ${interpreter.path}`);
    python = await makeEnvironment(where, interpreter, say);
    say(`environment: ${python}`);
  }
  const before = settingsOf(where);
  const settings: Settings = {
    python,
    assets: assets ?? before?.assets ?? null,
    made: requirementsDigest(where),
  };
  if (JSON.stringify(settings) !== JSON.stringify(before)) write(where, settings);
  const { mujoco, robosuite, numpy } = packageVersions(python);
  say(`mujoco ${mujoco}, robosuite ${robosuite}, numpy ${numpy}`);

  if (options.download) {
    say(`assets: ${await downloadAssets(join(where.home, "assets"), where.variables, say)}`);
  }
  try {
    // The environment just made is meant, whatever interpreter it was made from.
    const { root, assets } = libero({
      ...where,
      variables: { ...where.variables, LIBERO_PYTHON: undefined },
    });
    const kind = assets.standIns.length > 0 ? `${assets.standIns.length} visual stand-ins` : "originals";
    say(`assets: ${root}, ${kind}`);
    say(`ready: "deno task exp doctor libero" looks closer`);
  } catch (error) {
    say(`remains: ${firstLine(error)}`);
  }
}

function open(home: string): void {
  try {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, ".gitignore"), "*\n");
  } catch (error) {
    throw new Error(`Cannot make ${home}: the folder cannot be written (${firstLine(error)})`);
  }
}

function write({ home }: Places, settings: Settings): void {
  const path = join(home, "settings.json");
  writeFileSync(`${path}.tmp`, JSON.stringify(settings, null, 2) + "\n");
  renameSync(`${path}.tmp`, path);
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({
      options: { assets: { type: "string" }, download: { type: "boolean" } },
    });
    await setup(values, places(), (line) => console.log(line));
  } catch (error) {
    console.error(firstLine(error));
    Deno.exit(1);
  }
}
