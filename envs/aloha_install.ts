/**
 * This machine's ALOHA: the Python environment that `deno task setup:aloha` made in `.aloha/`, or `ALOHA_PYTHON`, and the
 * fingerprint that enters the keys of stages.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageVersions } from "./libero_install.ts";

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

const MEND = 'run "deno task setup:aloha"';

/** Digest of the requirements: an environment made of other ones is made anew. */
export function alohaRequirements({ python }: AlohaPlaces): string {
  const bytes = readFileSync(join(python, "gym_worker", "requirements.txt"));
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * The worker's interpreter.
 *
 * @throws {Error} when it is missing, was made of other requirements, or lacks the simulator
 */
export function alohaPython(where: AlohaPlaces = alohaPlaces()): string {
  const given = where.variables.ALOHA_PYTHON;
  if (given) {
    if (!existsSync(given)) {
      throw new Error(`Cannot run ALOHA in ALOHA_PYTHON=${given}: there is no such file`);
    }
    if (!packageVersions(given)["gym-aloha"]) {
      throw new Error(
        `Cannot run ALOHA in ALOHA_PYTHON=${given}: it has no gym-aloha (unset it and ${MEND})`,
      );
    }
    return given;
  }
  const python = join(where.home, "venv", "bin", "python"), made = join(where.home, "made");
  if (!existsSync(made) || !existsSync(python)) {
    throw new Error(`Cannot run ALOHA: its Python environment must be made, ${MEND}`);
  }
  if (readFileSync(made, "utf8").trim() !== alohaRequirements(where)) {
    throw new Error(`Cannot run ALOHA: its Python environment is of other requirements, ${MEND}`);
  }
  return python;
}

/** Packages that decide what a step does or a picture shows. */
const simulator = ["gym-aloha", "dm-control", "mujoco", "numpy"] as const;

/** Everything outside this repository's modules that decides what the simulator does. */
export interface AlohaFingerprint {
  /** Versions of the simulator's packages. */
  readonly packages: Readonly<Record<string, string>>;
  /** SHA-256 of the worker's modules, and of those of the LIBERO worker that it uses. */
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
  const versions = packageVersions(alohaPython(where));
  const worker = createHash("sha256");
  const own = readdirSync(join(where.python, "gym_worker")).filter((name) => name.endsWith(".py")).sort();
  const shared = ["errors.py", "frames.py", "loop.py", "requests.py"];
  for (
    const path of [
      ...own.map((name) => `gym_worker/${name}`),
      ...shared.map((name) => `libero_worker/${name}`),
    ]
  ) worker.update(`${path}\0`).update(readFileSync(join(where.python, path)));
  return {
    packages: Object.fromEntries(simulator.flatMap((name) => versions[name] ? [[name, versions[name]]] : [])),
    worker: worker.digest("hex"),
    requirements: alohaRequirements(where),
  };
}
