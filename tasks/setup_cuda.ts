/**
 * `deno task setup:cuda [--site DIR] [--python PYTHON]`: puts the libraries that a CUDA GPU needs into `.cuda/lib`. Those
 * that a Python environment already holds (`--site`, its folder site-packages: PyTorch and JAX bring most of them) are
 * linked, the others fetched by pip from the hashed requirements. A second run is done in a moment. Where only the driver
 * or the GPU is missing, the libraries are set up all the same, and a line says so.
 */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Folder, type Package, packagesOf, packagesUnder, versionUnder } from "./cuda_packages.ts";
import { reasonOf, run } from "./libero_environment.ts";
import type { Library } from "../engine/providers/ort/cuda_libraries.ts";
import { type Probe, probe } from "../lab/device.ts";
import { firstLine, UsageError } from "../lab/errors.ts";
import { repository } from "../lab/module_graph.ts";

const COMMAND = "deno task setup:cuda";

/** What is needed and where things are. */
export interface Places {
  /** The folder `.cuda`. */
  readonly home: string;
  /** The hashed requirements. */
  readonly requirements: string;
  /** The engine's table. */
  readonly libraries: readonly Library[];
  /** Looks at the GPU with what is there. */
  readonly look: () => Promise<Probe>;
}

/** What the command line asks for. */
export interface SetupOptions {
  /** A folder site-packages whose libraries are linked. */
  readonly site?: string | undefined;
  /** The interpreter whose pip fetches what is missing; the first on the path unless said. */
  readonly python?: string | undefined;
}

/** This repository's places. The engine says which libraries it loads; its table is read as the lab reads that of devices. */
export async function places(): Promise<Places> {
  const table = new URL("engine/providers/ort/cuda_libraries.ts", repository).href;
  const { libraries } = await import(table) as { libraries: readonly Library[] };
  const root = fileURLToPath(repository);
  return {
    home: join(root, ".cuda"),
    requirements: join(root, "python", "cuda", "requirements.txt"),
    libraries,
    look: () => probe("cuda"),
  };
}

/**
 * Sets the libraries up and says each step, then what the GPU makes of them.
 *
 * @throws {UsageError} when `--site` holds nothing of use
 * @throws {Error} when a step fails, or the libraries do not work after all; in one line
 */
export async function setup(
  { site, python = "python3" }: SetupOptions,
  where: Places,
  say: (line: string) => void,
): Promise<void> {
  const packages = packagesOf(where.libraries, where.requirements);
  const source = site === undefined ? undefined : sourceAt(resolve(site), packages);
  const folder = new Folder(where.home);
  using lock = Deno.openSync(join(where.home, "lock"), { create: true, write: true });
  await lock.lock(true); // two setups at once would delete each other's work
  if (source) linkAll(source, packages, folder, say);
  const lacking = packages.filter((each) => !folder.holds(each));
  if (lacking.length > 0) await fetchAll(lacking, python, folder, where.home, say);
  say(`${folder.lib}: all ${where.libraries.length} libraries are there`);

  const { checks } = await where.look();
  // What the doctor sends here for is, after a setup, mended by a new one.
  const told = (mend = "") =>
    mend.replace(/(run )?deno task setup:cuda/, `remove ${where.home} and run ${COMMAND} again`);
  for (const { name, ok, detail, mend } of checks) {
    say(`${ok ? "ok  " : "MEND"}  ${name}: ${detail}${ok || !mend ? "" : ` -- ${told(mend)}`}`);
  }
  const bad = checks.filter(({ ok }) => !ok);
  const ours = bad.find(({ mend }) => mend?.includes(COMMAND));
  if (ours) throw new Error(`Cannot use the libraries: ${ours.detail}; ${told(ours.mend)}`);
  if (bad.length > 0) {
    const names = bad.map(({ name }) => name).join(", ");
    say(`The libraries are set up, but this machine cannot use a GPU yet: see MEND (${names}) above`);
  }
}

/** A folder site-packages, and where in it packages lie whole. */
interface Source {
  readonly site: string;
  readonly found: ReadonlyMap<Package, string>;
}

function sourceAt(site: string, packages: readonly Package[]): Source {
  if (!statSync(site, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`Cannot use --site ${site}: there is no such folder`);
  }
  const found = packagesUnder(site, packages);
  if (found.size === 0) throw new UsageError(`Cannot use --site ${site}: it holds no library that is needed`);
  return { site, found };
}

/** Links all that a folder site-packages has whole. */
function linkAll(
  { site, found }: Source,
  packages: readonly Package[],
  folder: Folder,
  say: (line: string) => void,
): void {
  for (const each of packages) {
    const from = found.get(each), version = versionUnder(site, each);
    if (from !== undefined) {
      folder.put(each, from, "link");
      say(`linked ${each.name}${version ? ` ${version}` : ""} of ${site}`);
    } else if (version !== undefined && version !== each.version) {
      say(`not linked: ${each.name} ${version} of ${site}, ${each.version} is needed`);
    }
  }
}

// Unpacks a wheel's libraries into a folder: those whose names begin as one of the further arguments.
const UNPACK = `
import os, shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    for name in z.namelist():
        base = os.path.basename(name)
        if ".so" in base and base.startswith(tuple(sys.argv[3:])) and "tensorrt" not in base:
            with z.open(name) as source, open(os.path.join(sys.argv[2], base), "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
`;
const PLATFORMS = ["manylinux_2_28", "manylinux_2_27", "manylinux2014", "manylinux2010"];

/** Fetches wheels and puts their libraries into the folder, each package whole or not at all. */
async function fetchAll(
  lacking: readonly Package[],
  python: string,
  folder: Folder,
  home: string,
  say: (line: string) => void,
): Promise<void> {
  const named = lacking.map(({ name, version }) => `${name}==${version}`).join(", ");
  const list = join(home, "lacking.txt"), wheels = join(home, "wheels"), unpacked = join(home, "unpacked");
  writeFileSync(list, lacking.map(({ requirement }) => requirement).join("\n") + "\n");
  mkdirSync(wheels, { recursive: true });
  say(`fetching ${named} (up to 1.2 GB)`);
  await step(`fetch ${named}`, python, [
    ...[
      "-m",
      "pip",
      "download",
      "--disable-pip-version-check",
      "--no-input",
      "--no-deps",
      "--require-hashes",
    ],
    ...["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"],
    ...PLATFORMS.flatMap((platform) => ["--platform", `${platform}_x86_64`]),
    ...["-d", wheels, "-r", list],
  ]);
  for (const each of lacking) {
    const start = `${each.name.replaceAll("-", "_")}-${each.version}-`;
    const wheel = readdirSync(wheels).find((file) => file.startsWith(start) && file.endsWith(".whl"));
    if (wheel === undefined) throw new Error(`Cannot unpack ${each.name}: pip left no wheel ${start}...`);
    rmSync(unpacked, { recursive: true, force: true }); // of a run that was killed
    mkdirSync(unpacked);
    await step(`unpack ${wheel}`, python, ["-c", UNPACK, join(wheels, wheel), unpacked, ...each.stems]);
    const there = readdirSync(unpacked);
    const absent = each.files.filter((file) => !there.includes(file));
    if (absent.length > 0) throw new Error(`Cannot use ${wheel}: it lacks ${absent.join(", ")}`);
    folder.put(each, unpacked, "move");
  }
  for (const rest of [unpacked, wheels, list]) rmSync(rest, { recursive: true, force: true });
}

async function step(what: string, python: string, args: readonly string[]): Promise<void> {
  const { ok, lines } = await run(python, args, Deno.env.toObject());
  if (ok) return;
  const text = lines.join("\n");
  const reason = /Failed to spawn/.test(text)
    ? `${python} does not start, give --python one with pip`
    : /No module named '?pip/.test(text)
    ? `${python} has no pip, give --python one that has`
    : reasonOf(lines).replace("1.5 GB", "4 GB");
  throw new Error(`Cannot ${what}: ${reason}`);
}

function options(): SetupOptions {
  try {
    return parseArgs({ options: { site: { type: "string" }, python: { type: "string" } } }).values;
  } catch {
    const given = Deno.args.join(" ");
    throw new UsageError(`Cannot use ${given}: the options are --site DIR and --python PYTHON`);
  }
}

if (import.meta.main) {
  try {
    const asked = options();
    if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
      const here = `${Deno.build.os} ${Deno.build.arch}`;
      throw new Error(`Cannot set a GPU up on ${here}: only on Linux x86_64 so far`);
    }
    await setup(asked, await places(), (line) => console.log(line));
  } catch (error) {
    console.error(firstLine(error));
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
