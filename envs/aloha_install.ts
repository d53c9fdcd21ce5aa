/**
 * This machine's ALOHA: the Python environment that `deno task setup:aloha` made in `.aloha/`, or `ALOHA_PYTHON`, and the
 * fingerprint that enters the keys of stages.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as environment from "../process/python_environment.ts";

const repository = fileURLToPath(new URL("../", import.meta.url));

/** The places that decide; other ones than this machine's in tests. */
export interface AlohaPlaces {
  /** Folder of the environment. */
  readonly home: string;
  /** Folder of the Python packages of this repository. */
  readonly python: string;
  /** `ALOHA_PYTHON` and the like. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The places of this machine. */
export function alohaPlaces(): AlohaPlaces {
  return {
    home: join(repository, ".aloha"),
    python: join(repository, "python"),
    variables: Deno.env.toObject(),
  };
}

const program = { name: "ALOHA", variable: "ALOHA_PYTHON", setup: "deno task setup:aloha" } as const;

/** Digest of the requirements: an environment made of other ones is made anew. */
export function alohaRequirements({ python }: AlohaPlaces): string {
  return environment.requirementsDigest(join(python, "gym_worker"), ["requirements.txt"]);
}

/**
 * The worker's interpreter.
 *
 * @throws {Error} when it is missing, was made of other requirements, or lacks the simulator
 */
export function alohaPython(where: AlohaPlaces = alohaPlaces()): string {
  return environment.interpreterOf(program, {
    variables: where.variables,
    settings() {
      const made = join(where.home, "made");
      if (!existsSync(made)) return undefined;
      return { python: join(where.home, "venv", "bin", "python"), made: readFileSync(made, "utf8").trim() };
    },
    requirements: () => alohaRequirements(where),
    lacks: (python) => alohaPackages(python)["gym-aloha"] ? undefined : "it has no gym-aloha",
  });
}

/** Versions of the packages of an interpreter that has the simulator, by lower-case name with dashes. */
export function alohaPackages(python: string): Readonly<Record<string, string>> {
  return environment.packageVersions("gym-aloha", python);
}

/** Packages that decide what a step does or a picture shows. */
const simulator = ["gym-aloha", "dm-control", "mujoco", "numpy"] as const;

/** Everything outside this repository's modules that decides what the simulator does. */
export interface AlohaFingerprint {
  /** Versions of the simulator's packages. */
  readonly packages: Readonly<Record<string, string>>;
  /** SHA-256 of the worker's modules, and of those of other packages that it uses. */
  readonly worker: string;
  /** SHA-256 of the requirements. */
  readonly requirements: string;
}

/**
 * The simulator's fingerprint, made without starting Python.
 *
 * @throws {Error} when there is no environment; the message names the mend
 */
export function alohaFingerprint(where: AlohaPlaces = alohaPlaces()): AlohaFingerprint {
  return {
    packages: environment.packageVersions("gym-aloha", alohaPython(where), simulator),
    worker: environment.modulesDigest(
      ["gym_worker", "worker_process", "libero_worker/frames.py", "libero_worker/requests.py"]
        .map((part) => join(where.python, part)),
    ),
    requirements: alohaRequirements(where),
  };
}
