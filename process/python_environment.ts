/**
 * The Python environment of a program beside this one: made by a task of its own (`deno task setup:...`) from hashed
 * requirements, or an interpreter that a variable names.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Which program, for messages, and what goes before its own environment. */
export interface PythonProgram {
  /** What it is. */
  readonly name: string;
  /** The variable that names another interpreter. */
  readonly variable: string;
  /** The task that makes its environment. */
  readonly setup: string;
}

/** What a setup writes last, so that a broken setup is none. */
export interface Made {
  /** The environment's interpreter. */
  readonly python: string;
  /** Digest of the requirements the environment was made of. */
  readonly made: string;
}

/**
 * What a setup wrote to `settings.json`, or undefined before it.
 *
 * @throws {Error} when the file is damaged
 */
export function readSettings<S extends Made>(home: string, { setup }: PythonProgram): S | undefined {
  const path = join(home, "settings.json");
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as S;
  } catch {
    throw new Error(`Cannot read ${path}: it is damaged, delete it and run "${setup}"`);
  }
}

/**
 * The program's interpreter.
 *
 * @param lacks why the interpreter that the variable names cannot be used, or undefined
 * @throws {Error} when it is missing, lacks something, or was made of other requirements; the message names the mend
 */
export function interpreterOf(
  { name, variable, setup }: PythonProgram,
  { variables, settings, requirements, lacks }: {
    readonly variables: Readonly<Record<string, string | undefined>>;
    readonly settings: () => Made | undefined;
    readonly requirements: () => string;
    readonly lacks: (python: string) => string | undefined;
  },
): string {
  const given = variables[variable];
  if (given) {
    const failure = `Cannot run ${name} in ${variable}=${given}`;
    if (!existsSync(given)) throw new Error(`${failure}: there is no such file`);
    const lacking = lacks(given);
    if (lacking !== undefined) throw new Error(`${failure}: ${lacking} (unset it and run "${setup}")`);
    return given;
  }
  const own = settings();
  if (!own || !existsSync(own.python)) {
    throw new Error(`Cannot run ${name}: its Python environment must be made by "${setup}"`);
  }
  if (own.made !== requirements()) {
    throw new Error(`Cannot run ${name}: its Python environment is of other requirements, run "${setup}"`);
  }
  return own.python;
}

/** An interpreter's folder of packages and their versions, by lower-case name with dashes. */
export interface Packages {
  readonly folder: string;
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Where an interpreter keeps the package `name`, and the versions of all that lie beside it (from their `dist-info` folders);
 * found without starting it. An installation may have folders of several Pythons: the first that holds `name` counts.
 */
export function packagesBeside(name: string, python: string): Packages | undefined {
  for (const lib of ["lib", "lib64"]) {
    const parent = join(dirname(dirname(python)), lib);
    if (!existsSync(parent)) continue;
    for (const item of readdirSync(parent).filter((item) => /^python3\.\d+$/.test(item)).sort()) {
      const folder = join(parent, item, "site-packages"), versions = versionsIn(folder);
      if (versions[name]) return { folder, versions };
    }
  }
  return undefined;
}

function versionsIn(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const item of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const match = /^(.+?)-([^-]+)\.dist-info$/.exec(item);
    if (match) found[match[1]!.toLowerCase().replaceAll(/[-_.]+/g, "-")] = match[2]!;
  }
  return found;
}

/** Versions of an interpreter's packages beside `name`; of `only` some of them, in that order. None where there is no `name`. */
export function packageVersions(
  name: string,
  python: string,
  only?: readonly string[],
): Readonly<Record<string, string>> {
  const versions = packagesBeside(name, python)?.versions ?? {};
  if (!only) return versions;
  return Object.fromEntries(only.flatMap((each) => versions[each] ? [[each, versions[each]]] : []));
}

/**
 * SHA-256 of the Python modules that a process runs: their names and bytes, in the order of `parts`, which are packages (with
 * all below them, except what matches `but`) or single modules.
 */
export function modulesDigest(parts: readonly string[], but?: RegExp): string {
  const hash = createHash("sha256");
  const take = (name: string, path: string) => hash.update(`${name}\0`).update(readFileSync(path));
  for (const part of parts) {
    if (part.endsWith(".py")) {
      take(basename(part), part);
      continue;
    }
    for (const name of readdirSync(part, { recursive: true, encoding: "utf8" }).sort()) {
      if (name.endsWith(".py") && !but?.test(name)) take(`${basename(part)}/${name}`, join(part, name));
    }
  }
  return hash.digest("hex");
}

/** SHA-256 of files of requirements, one after the other. */
export function requirementsDigest(folder: string, names: readonly string[]): string {
  const hash = createHash("sha256");
  for (const name of names) hash.update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}
