/**
 * What lies in `.cuda/lib`, package by package. A package is there when the files that the engine names are, and the
 * record beside the folder tells where they are from: a wheel of today's requirement, whole, or links that still lead to
 * files. Nothing else counts, so that what was left half way, or is of another version, is made anew.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Library } from "../engine/providers/ort/cuda_libraries.ts";
import { firstLine } from "../lab/errors.ts";

/** A Python package that holds libraries. */
export interface Package {
  /** Its name, e.g. "nvidia-cublas". */
  readonly name: string;
  /** The version that is required. */
  readonly version: string;
  /** The line of the requirements, with its hashes. */
  readonly requirement: string;
  /** Its files that the engine names. */
  readonly files: readonly string[];
  /** How the names of all its libraries begin: these load others of the same package. */
  readonly stems: readonly string[];
}

/** Where a package in the folder is from. */
interface Origin {
  /** The line of the requirements that its wheel was of; null of links. */
  readonly requirement: string | null;
  /** Its files in the folder, with their bytes; null of links. */
  readonly files: Readonly<Record<string, number | null>>;
  /** It is being put there: a kill left it so. */
  readonly unfinished?: true;
}

/**
 * The packages of the engine's libraries.
 *
 * @throws {Error} when the requirements do not pin one of them
 */
export function packagesOf(libraries: readonly Library[], requirements: string): Package[] {
  const lines = readFileSync(requirements, "utf8").replaceAll("\\\n", " ").split("\n")
    .map((line) => line.replaceAll(/\s+/g, " ").trim());
  return [...new Set(libraries.map((library) => library.package))].map((name) => {
    const requirement = lines.find((line) => line.startsWith(`${name}==`));
    if (requirement === undefined) throw new Error(`Cannot set ${name} up: ${requirements} must pin it`);
    const version = requirement.slice(`${name}==`.length).split(" ", 1)[0]!;
    const files = libraries.filter((library) => library.package === name).map(({ file }) => file);
    const stems = [...new Set(files.map((file) => file.slice(0, file.indexOf(".so"))))];
    return { name, version, requirement, files, stems };
  });
}

/** Bytes of a file, also behind a link; undefined where there is none. */
function bytes(path: string): number | undefined {
  try {
    const found = statSync(path);
    return found.isFile() ? found.size : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a file's name makes it one of a package's libraries. TensorRT's part is never used. */
function isOf({ stems }: Package, file: string): boolean {
  return stems.some((stem) => file.startsWith(stem)) && file.includes(".so") && !file.includes("tensorrt");
}

/** A folder of libraries and the record beside it. */
export class Folder {
  /** The folder of the libraries. */
  readonly lib: string;
  readonly #record: string;

  /** @throws {Error} when it cannot be made or written */
  constructor(home: string) {
    this.lib = join(home, "lib");
    this.#record = join(home, "installed.json");
    try {
      mkdirSync(this.lib, { recursive: true });
      writeFileSync(join(home, ".gitignore"), "*\n");
    } catch (error) {
      throw new Error(`Cannot make ${this.lib}: the folder cannot be written (${firstLine(error)})`);
    }
  }

  #origins(): Record<string, Origin> {
    try {
      return JSON.parse(readFileSync(this.#record, "utf8"));
    } catch {
      return {};
    }
  }

  #write(name: string, origin: Origin): void {
    const text = JSON.stringify({ ...this.#origins(), [name]: origin }, null, 2);
    writeFileSync(`${this.#record}.tmp`, text + "\n");
    renameSync(`${this.#record}.tmp`, this.#record);
  }

  /** Whether a package is there as it must be. */
  holds(wanted: Package): boolean {
    if (!wanted.files.every((file) => bytes(join(this.lib, file)) !== undefined)) return false;
    const origin = this.#origins()[wanted.name];
    // Put there by hand: only a name that carries the version tells that it is the right one.
    if (!origin) return wanted.files.some((file) => file.endsWith(`.so.${wanted.version}`));
    if (origin.unfinished) return false;
    if (origin.requirement !== null && origin.requirement !== wanted.requirement) return false;
    return Object.entries(origin.files).every(([file, size]) => {
      const found = bytes(join(this.lib, file));
      return found !== undefined && (size === null || size === found);
    });
  }

  /** Puts a package's libraries from another folder there, moved or linked, in place of all that there was of it. */
  put(wanted: Package, from: string, how: "move" | "link"): void {
    const files = readdirSync(from).filter((file) => isOf(wanted, file));
    const sizes = files.map((file) => [file, how === "link" ? null : bytes(join(from, file))!] as const);
    const origin = {
      requirement: how === "link" ? null : wanted.requirement,
      files: Object.fromEntries(sizes),
    };
    try {
      this.#write(wanted.name, { ...origin, unfinished: true });
      for (const file of readdirSync(this.lib)) {
        if (isOf(wanted, file) && !files.includes(file)) rmSync(join(this.lib, file));
      }
      for (const file of files) {
        const at = join(this.lib, file);
        if (how === "move") renameSync(join(from, file), at);
        else {
          rmSync(at, { force: true });
          symlinkSync(join(from, file), at);
        }
      }
      this.#write(wanted.name, origin);
    } catch (error) {
      throw new Error(`Cannot put ${wanted.name} into ${this.lib}: ${firstLine(error)}`);
    }
  }
}

/** What a folder site-packages has: for each package the folder with all files that the engine names. */
export function packagesUnder(site: string, wanted: readonly Package[]): Map<Package, string> {
  const folders = new Map<string, Set<string>>();
  for (const part of ["nvidia", "onnxruntime"]) {
    let found: string[];
    try {
      found = readdirSync(join(site, part), { recursive: true }) as string[];
    } catch {
      continue;
    }
    for (const path of found) {
      const folder = dirname(join(site, part, path));
      if (!folders.has(folder)) folders.set(folder, new Set());
      folders.get(folder)!.add(join(site, part, path));
    }
  }
  const has = new Map<Package, string>();
  for (const each of wanted) {
    const complete = (folder: string, paths: Set<string>) =>
      each.files.every((file) => paths.has(join(folder, file)) && bytes(join(folder, file)) !== undefined);
    const found = [...folders].find(([folder, paths]) => complete(folder, paths));
    if (found) has.set(each, found[0]);
  }
  return has;
}

/** The version of a package in a folder site-packages; undefined where it has none. */
export function versionUnder(site: string, { name }: Package): string | undefined {
  const start = `${name.replaceAll("-", "_")}-`;
  try {
    const found = readdirSync(site).find((file) => file.startsWith(start) && file.endsWith(".dist-info"));
    return found?.slice(start.length, -".dist-info".length);
  } catch {
    return undefined;
  }
}
