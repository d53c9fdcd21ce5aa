/**
 * This machine's LeRobot: which Python runs the bridge, and the fingerprint that enters the keys of stages.
 * `deno task setup:lerobot` makes the environment; `LEROBOT_PYTHON` goes before it.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as environment from "../process/python_environment.ts";

/** The repository, where `.lerobot/` and `python/` are. */
const repository = fileURLToPath(new URL("../", import.meta.url));

const program = { name: "LeRobot", variable: "LEROBOT_PYTHON", setup: "deno task setup:lerobot" } as const;

/** The places that decide; other ones than this machine's in tests. */
export interface Places {
  /** Folder of the environment and its settings; it is made by setup. */
  readonly home: string;
  /** The package `lerobot_bridge` and its requirements; beside it is `worker_process`. */
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

/** What `deno task setup:lerobot` wrote last, or undefined before it. */
export function settingsOf({ home }: Places): environment.Made | undefined {
  return environment.readSettings(home, program);
}

/** Digest of the requirements: an environment made of other ones is made anew. */
export function requirementsDigest({ bridge }: Places): string {
  return environment.requirementsDigest(bridge, ["requirements.txt"]);
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
  const wanted = wantedVersion(where);
  const python = environment.interpreterOf(program, {
    variables: where.variables,
    settings: () => settingsOf(where),
    requirements: () => requirementsDigest(where),
    lacks(python) {
      const { lerobot } = packageVersions(python);
      if (lerobot === wanted) return undefined;
      return `${lerobot === undefined ? "it has no lerobot" : `it has lerobot ${lerobot}`}, wanted ${wanted}`;
    },
  });
  const { lerobot } = packageVersions(python);
  if (lerobot !== wanted) {
    throw new Error(
      `Cannot run LeRobot: its Python environment has lerobot ${lerobot ?? "no more"}, wanted ${wanted}; ` +
        `delete ${where.home} and run "deno task setup:lerobot"`,
    );
  }
  return python;
}

/** Versions of the packages of an interpreter that has LeRobot, by lower-case name with dashes. */
export function packageVersions(python: string): Readonly<Record<string, string>> {
  return environment.packageVersions("lerobot", python);
}

/** Everything outside this repository's modules that decides what the bridge computes. */
export interface Fingerprint {
  /** Versions of the packages. */
  readonly packages: Readonly<Record<string, string>>;
  /** SHA-256 of the bridge's modules and of the package that its process shares with others. */
  readonly bridge: string;
}

/**
 * The bridge's fingerprint, made without starting Python.
 *
 * @throws {Error} when there is no environment; the message names the mend
 */
export function fingerprint(where: Places = places()): Fingerprint {
  const { bridge } = where;
  return {
    packages: environment.packageVersions("lerobot", pythonOf(where), deciding),
    bridge: environment.modulesDigest(
      [bridge, join(bridge, "../worker_process")],
      /(^|[/\\])(tests?[/\\]|tiny\.py)/,
    ),
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
