/**
 * This machine's LeRobot: which Python runs the bridge, and the fingerprint that enters the keys of stages.
 * `deno task setup:lerobot` makes the environment; `LEROBOT_PYTHON` goes before it.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository, where `.lerobot/` and `python/` are. */
const repository = fileURLToPath(new URL("../", import.meta.url));

/** What `deno task setup:lerobot` writes last, so that a broken setup is none. */
export interface Settings {
  /** The environment's interpreter. */
  readonly python: string;
  /** Digest of the requirements the environment was made of. */
  readonly made: string;
}

/** The places that decide; other ones than this machine's in tests. */
export interface Places {
  /** Folder of the environment and its settings; it is made by setup. */
  readonly home: string;
  /** The module `lerobot_bridge` and its requirements. */
  readonly bridge: string;
  /** `LEROBOT_PYTHON` and the like. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The places of this machine. */
export function places(): Places {
  return {
    home: join(repository, ".lerobot"),
    bridge: join(repository, "python", "lerobot_bridge"),
    // A path only: the versions behind it are in the fingerprint.
    variables: Deno.env.toObject(),
  };
}

/** Packages that decide a policy's numbers; the others only have to import. */
const deciding = ["lerobot", "torch", "torchvision", "transformers", "tokenizers", "accelerate", "numpy"];

/** What setup wrote, or undefined before it. */
export function settingsOf({ home }: Places): Settings | undefined {
  const path = join(home, "settings.json");
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Settings;
  } catch {
    throw new Error(`Cannot read ${path}: it is damaged, delete it and run "deno task setup:lerobot"`);
  }
}

/** Digest of the requirements: an environment made of other ones is made anew. */
export function requirementsDigest({ bridge }: Places): string {
  return createHash("sha256").update(readFileSync(join(bridge, "requirements.txt"))).digest("hex");
}

/** The version of LeRobot that the bridge was written for and tested with. */
export function wantedVersion({ bridge }: Places): string {
  const pin = /^lerobot==([^\s\\]+)/m.exec(readFileSync(join(bridge, "requirements.txt"), "utf8"));
  return pin![1]!;
}

/**
 * The bridge's interpreter.
 *
 * @throws {Error} when it is missing, was made of other requirements, or has another LeRobot; the message names the mend
 */
export function pythonOf(where: Places = places()): string {
  const given = where.variables.LEROBOT_PYTHON;
  const wanted = wantedVersion(where);
  if (given) {
    if (!existsSync(given)) {
      throw new Error(`Cannot run LeRobot in LEROBOT_PYTHON=${given}: there is no such file`);
    }
    const { lerobot } = packageVersions(given);
    if (lerobot === wanted) return given;
    const has = lerobot === undefined ? "it has no lerobot" : `it has lerobot ${lerobot}`;
    throw new Error(
      `Cannot run LeRobot in LEROBOT_PYTHON=${given}: ${has}, wanted ${wanted} (unset it and run "deno task setup:lerobot")`,
    );
  }
  const settings = settingsOf(where);
  if (!settings || !existsSync(settings.python)) {
    throw new Error(`Cannot run LeRobot: its Python environment must be made by "deno task setup:lerobot"`);
  }
  if (settings.made !== requirementsDigest(where)) {
    throw new Error(
      `Cannot run LeRobot: its Python environment is of other requirements, run "deno task setup:lerobot"`,
    );
  }
  const { lerobot } = packageVersions(settings.python);
  if (lerobot !== wanted) {
    throw new Error(
      `Cannot run LeRobot: its Python environment has lerobot ${lerobot ?? "no more"}, wanted ${wanted}; ` +
        `delete ${where.home} and run "deno task setup:lerobot"`,
    );
  }
  return settings.python;
}

/** Versions of an interpreter's packages by lower-case name with dashes, found without starting it. */
export function packageVersions(python: string): Record<string, string> {
  const found: Record<string, string> = {};
  const lib = join(dirname(dirname(python)), "lib");
  for (const name of existsSync(lib) ? readdirSync(lib).filter((name) => /^python3\.\d+$/.test(name)) : []) {
    const folder = join(lib, name, "site-packages");
    for (const item of existsSync(folder) ? readdirSync(folder).sort() : []) {
      const match = /^(.+?)-([^-]+)\.dist-info$/.exec(item);
      if (match) found[match[1]!.toLowerCase().replaceAll(/[-_.]+/g, "-")] = match[2]!;
    }
  }
  return found;
}

/** Everything outside this repository's modules that decides what the bridge computes. */
export interface Fingerprint {
  /** Versions of the packages. */
  readonly packages: Readonly<Record<string, string>>;
  /** SHA-256 of the bridge's modules. */
  readonly bridge: string;
}

/**
 * The bridge's fingerprint, made without starting Python.
 *
 * @throws {Error} when there is no environment; the message names the mend
 */
export function fingerprint(where: Places = places()): Fingerprint {
  const versions = packageVersions(pythonOf(where));
  const bridge = createHash("sha256");
  for (const name of readdirSync(where.bridge, { recursive: true, encoding: "utf8" }).sort()) {
    if (!name.endsWith(".py") || /(^|[/\\])(tests?[/\\]|tiny\.py)/.test(name)) continue;
    bridge.update(`${name}\0`).update(readFileSync(join(where.bridge, name)));
  }
  return {
    packages: Object.fromEntries(deciding.flatMap((name) => versions[name] ? [[name, versions[name]]] : [])),
    bridge: bridge.digest("hex"),
  };
}

/**
 * Variables under which the bridge's processes run: nothing is fetched from a hub, no user's packages are mixed in.
 *
 * @param plugin the Python package that is imported first, if any
 */
export function bridgeVariables(
  { plugin }: { readonly plugin: string },
  { home, bridge }: Places = places(),
): Record<string, string> {
  return {
    ...plugin === "" ? {} : { UPLIFT_LEROBOT_PLUGIN: plugin },
    PYTHONPATH: dirname(bridge),
    PYTHONNOUSERSITE: "1",
    // Beside the environment: a start without compiled modules takes 20 s more.
    PYTHONPYCACHEPREFIX: join(home, "pycache"),
    PYTHONUNBUFFERED: "1",
    HF_HUB_OFFLINE: "1",
    HF_HUB_DISABLE_TELEMETRY: "1",
    TOKENIZERS_PARALLELISM: "false",
    // Sums depend on the number of threads.
    OMP_NUM_THREADS: "2",
    // Sums on a GPU are the same twice.
    CUBLAS_WORKSPACE_CONFIG: ":4096:8",
  };
}
