/**
 * This machine's LIBERO: which Python runs the worker, where the data lie, and the fingerprint of both that enters the
 * keys of stages. `deno task setup:libero` makes the environment; `LIBERO_PYTHON` and `LIBERO_ASSETS` go before it.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as environment from "../process/python_environment.ts";
import { type AssetsDigest, assetsDigest, linkedRoot, missingParts, rootIn } from "./libero_assets.ts";

/** The repository, where `.libero/` and `python/` are. */
const repository = fileURLToPath(new URL("../", import.meta.url));

const program = { name: "LIBERO", variable: "LIBERO_PYTHON", setup: "deno task setup:libero" } as const;

/** What `deno task setup:libero` writes last. */
export interface Settings extends environment.Made {
  /** The root given to setup by `--assets`, else null. */
  readonly assets: string | null;
}

/** The places that decide; other ones than this machine's in tests. */
export interface Places {
  /** Folder of the environment, settings and digests; it is made by setup. */
  readonly home: string;
  /** The package `libero_worker` and its requirements; beside it is `worker_process`. */
  readonly worker: string;
  /** The user's home folder: LIBERO's own configuration and hf-libero's download. */
  readonly user: string;
  /** `LIBERO_PYTHON` and the like. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The places of this machine. */
export function places(): Places {
  return {
    home: join(repository, ".libero"),
    worker: join(repository, "python", "libero_worker"),
    user: homedir(),
    // Paths only: what they hold is in the fingerprint.
    variables: Deno.env.toObject(),
  };
}

/** A LIBERO that can be started. */
export interface Installation {
  /** The interpreter of the worker. */
  readonly python: string;
  /** Folder with `assets/`, `bddl_files/` and `init_files/`. */
  readonly root: string;
  /** Digest of the data, and which of them are stand-ins. */
  readonly assets: AssetsDigest;
}

/** Packages that decide what a step does or a picture shows; the others only have to import. */
const simulator = [
  "mujoco",
  "robosuite",
  "hf-libero",
  "bddl",
  "numpy",
  "scipy",
  "numba",
  "opencv-python-headless",
];

/**
 * This machine's LIBERO.
 *
 * @throws {Error} when there is no environment or no data; the message names the mend
 */
export function libero(where: Places = places()): Installation {
  const python = pythonOf(where);
  const root = rootOf(where, python);
  return { python, root, assets: assetsDigest(root, join(where.home, "digests.json")) };
}

/** What setup wrote, or undefined before it. */
export function settingsOf({ home }: Places): Settings | undefined {
  return environment.readSettings(home, program);
}

/** Digest of the requirements: an environment made of other ones is made anew. */
export function requirementsDigest({ worker }: Places): string {
  return environment.requirementsDigest(worker, ["requirements_build.txt", "requirements.txt"]);
}

/**
 * The worker's interpreter.
 *
 * @throws {Error} when it is missing, was made of other requirements, or lacks the simulator
 */
export function pythonOf(where: Places): string {
  return environment.interpreterOf(program, {
    variables: where.variables,
    settings: () => settingsOf(where),
    requirements: () => requirementsDigest(where),
    lacks: (python) => packageVersions(python).mujoco ? undefined : "it has no mujoco",
  });
}

/**
 * The folder of LIBERO's data: `LIBERO_ASSETS`, what setup was given, the package's own, the user's LIBERO by its
 * configuration, hf-libero's download.
 *
 * @throws {Error} when there is none
 */
export function rootOf(where: Places, python: string): string {
  const named: readonly [string, string | null | undefined][] = [
    ["LIBERO_ASSETS", where.variables.LIBERO_ASSETS],
    ["the folder given to setup", settingsOf(where)?.assets],
  ];
  for (const [name, folder] of named) {
    if (!folder) continue;
    const root = rootIn(folder);
    if (root) return root;
    throw new Error(
      existsSync(folder)
        ? `Cannot use ${name}, ${folder}: it has no ${missingParts(folder)}`
        : `Cannot use ${name}, ${folder}: there is no such folder`,
    );
  }
  const packaged = join(environment.packagesBeside("mujoco", python)?.folder ?? "", "libero", "libero");
  const own = rootIn(packaged) ?? configuredRoot(where);
  if (own) return own;
  const folders = { bddl_files: join(packaged, "bddl_files"), init_files: join(packaged, "init_files") };
  const downloads = [join(where.home, "assets"), join(where.user, ".cache", "libero", "assets")];
  for (const assets of downloads) {
    if (existsSync(join(assets, "scenes")) && existsSync(folders.bddl_files)) {
      return linkedRoot(where.home, { assets, ...folders });
    }
  }
  throw new Error(
    `Cannot find LIBERO's assets: set LIBERO_ASSETS to a folder with assets/, bddl_files/ and init_files/ ` +
      `(a LIBERO checkout), or run "deno task setup:libero --download"`,
  );
}

/** The root that LIBERO's own `config.yaml` names, if its folders are still there. */
function configuredRoot({ user, home, variables }: Places): string | undefined {
  const path = join(variables.LIBERO_CONFIG_PATH ?? join(user, ".libero"), "config.yaml");
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  const value = (key: string) => new RegExp(`^${key}:\\s*["']?(.*?)["']?\\s*$`, "m").exec(text)?.[1] ?? "";
  const folders = {
    assets: value("assets"),
    bddl_files: value("bddl_files"),
    init_files: value("init_states"),
  };
  return Object.values(folders).every((folder) => existsSync(folder)) ? linkedRoot(home, folders) : undefined;
}

/** Versions of the packages of an interpreter that has the simulator, by lower-case name with dashes. */
export function packageVersions(python: string): Readonly<Record<string, string>> {
  return environment.packageVersions("mujoco", python);
}

/** Everything outside this repository's modules that decides what LIBERO's simulator does. */
export interface Fingerprint {
  /** Versions of the simulator's packages. */
  readonly packages: Readonly<Record<string, string>>;
  /** SHA-256 of the worker's modules and of the package that its process shares with others. */
  readonly worker: string;
  /** SHA-256 of the requirements. */
  readonly requirements: string;
  /** SHA-256 of the data. */
  readonly assets: string;
}

/**
 * The simulator's fingerprint, made without starting Python.
 *
 * @throws {Error} when there is no environment or no data; the message names the mend
 */
export function fingerprint(where: Places = places()): Fingerprint {
  const { python, assets } = libero(where);
  return {
    packages: environment.packageVersions("mujoco", python, simulator),
    worker: environment.modulesDigest(
      [where.worker, join(where.worker, "../worker_process")],
      /(^|[/_])test/,
    ),
    requirements: requirementsDigest(where),
    assets: assets.digest,
  };
}
