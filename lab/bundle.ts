/**
 * The form of an exported folder: runs with all that stands behind them, laid out as in a store, with a list of
 * checksums that `sha256sum -c` reads. docs/compare.md describes it for people.
 */
import { join } from "node:path";
import { sha256 } from "./canonical.ts";
import type { StageKey } from "./key.ts";
import type { PlannedStage } from "./plan.ts";
import type { Outcome, RunRecord } from "./store.ts";

/** Files with a fixed place in an export. */
export const FILES = {
  manifest: "uplift-export.json",
  checksums: "checksums.sha256",
  crate: "ro-crate-metadata.json",
  readme: "README.md",
} as const;

/** The manifest: what an importer reads first. */
export interface Manifest {
  /** Tells the file from all others. */
  readonly kind: "uplift/export";
  /** Raised when the layout changes. */
  readonly version: number;
  /** The runs of the export. */
  readonly runs: readonly {
    readonly experiment: string;
    readonly seed: number;
    readonly definition: string;
    readonly result: string;
    /** Path of its record in the folder. */
    readonly record: string;
  }[];
}

/** Version of the layout written here, and the only one read. */
export const LAYOUT = 1;

/** A finished run and what stands behind each of its stages, in graph order. */
export interface BundledRun {
  /** As the store remembers it. */
  readonly record: RunRecord & { readonly result: string };
  /** Its stages. */
  readonly stages: readonly BundledStage[];
}

/** A stage of a finished run. */
export interface BundledStage {
  /** As planned. */
  readonly stage: PlannedStage;
  /** Its key and the document behind it. */
  readonly key: StageKey;
  /** The outcome that stands for the key. */
  readonly outcome: Outcome;
}

/** Where things lie in an export; the same as in a store, so that one can be read as the other. */
export const places = {
  record: ({ definition, seed }: { definition: string; seed: number }) => `runs/${definition}-${seed}.json`,
  definition: (definition: string) => `definitions/${definition}.json`,
  key: (key: string) => `outcomes/${key}/key.json`,
  outcome: (key: string) => `outcomes/${key}/0000.json`,
  log: (key: string) => `outcomes/${key}/0000.log`,
  statement: (key: string) => `statements/${key}.json`,
  source: (digest: string) => `sources/${digest.slice(0, 2)}/${digest.slice(2)}`,
  object: (digest: string) => {
    const hex = digest.slice("sha256:".length);
    return `objects/sha256/${hex.slice(0, 2)}/${hex.slice(2)}`;
  },
} as const;

/** Every file of an export but the list itself, with its SHA-256, as `sha256sum` writes them. */
export function checksums(files: ReadonlyMap<string, string>): string {
  return [...files].sort(([a], [b]) => a < b ? -1 : 1).map(([path, digest]) => `${digest}  ${path}\n`).join(
    "",
  );
}

/**
 * Reads a list of checksums.
 *
 * @throws {SyntaxError} when a line has another form or names a path outside of the folder
 */
export function parseChecksums(text: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const line of text.split("\n").slice(0, -1)) {
    const [, digest, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (digest === undefined || !isInside(path!) || files.has(path!)) {
      throw new SyntaxError(
        `${FILES.checksums} has a line of another form: ${JSON.stringify(line.slice(0, 100))}`,
      );
    }
    files.set(path!, digest);
  }
  if (!text.endsWith("\n")) throw new SyntaxError(`${FILES.checksums} is cut off`);
  return files;
}

/** Whether a path with forward slashes stays in its folder, in names that every file system takes. */
export function isInside(path: string): boolean {
  return path.split("/").every((name) => /^[A-Za-z0-9_.@+-]+$/.test(name) && !/^\.+$/.test(name));
}

/**
 * All files of a folder by path with forward slashes, sorted.
 *
 * @throws {SyntaxError} when something is neither a file nor a folder
 */
export function filesOf(folder: string, under = ""): string[] {
  const found: string[] = [];
  for (const entry of [...Deno.readDirSync(join(folder, under))].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = under === "" ? entry.name : `${under}/${entry.name}`;
    if (entry.isSymlink || !(entry.isFile || entry.isDirectory)) {
      throw new SyntaxError(`${path} is neither a file nor a folder`);
    }
    if (entry.isDirectory) found.push(...filesOf(folder, path));
    else found.push(path);
  }
  return found;
}

/** SHA-256 of a file, as 64 hexadecimal digits. */
export function fileDigest(path: string): string {
  return sha256(Deno.readFileSync(path));
}
