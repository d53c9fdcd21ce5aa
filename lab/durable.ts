/** Writing so that a crash at any instant leaves either nothing or the whole file. */
import { basename, dirname, join } from "node:path";
import { StoreError } from "./errors.ts";

const REASONS: Record<string, string> = {
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  ENOTDIR: "part of its path is a file",
  EEXIST: "a file is in its place",
  EFBIG: "the file is larger than allowed",
};

/** The error for a failed file operation, as one line: `action` is e.g. "write the store /data/.uplift". */
export function storeError(action: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = (error as { code?: string }).code ?? "";
  const message = error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/s, "") : String(error);
  return new StoreError(`Cannot ${action}: ${REASONS[code] ?? message}`, { cause: error });
}

/** Whether an error of a store means that it may be read and not written. */
export function isReadOnly(error: unknown): boolean {
  const code = error instanceof StoreError ? (error.cause as { code?: string } | undefined)?.code : undefined;
  return code === "EROFS" || code === "EACCES" || code === "EPERM";
}

/**
 * One process's place for unfinished files. The first to open it holds a kernel lock on it until the process ends, so
 * what a killed process left is known to be litter.
 */
export class Writer {
  readonly #store: string;
  /** Folder of unfinished files. */
  readonly directory: string;
  readonly #locks: readonly Deno.FsFile[];
  #count = 0;

  private constructor(store: string, directory: string, locks: readonly Deno.FsFile[]) {
    this.#store = store;
    this.directory = directory;
    this.#locks = locks;
  }

  /**
   * Makes the store's folders, sweeps what killed processes left, and opens a place of its own.
   *
   * @throws {StoreError} when the store cannot be written
   */
  static open(store: string): Writer {
    try {
      const temporary = join(store, "tmp");
      Deno.mkdirSync(temporary, { recursive: true });
      // Shared by all that write; the collector takes it alone.
      const writing = Deno.openSync(join(store, "lock"), { create: true, read: true, write: true });
      writing.lockSync(false);
      sweep(temporary);
      while (true) {
        const directory = join(temporary, crypto.randomUUID());
        const lock = Deno.openSync(`${directory}.lock`, { create: true, write: true });
        // Another process's sweep may take the file between these two calls.
        if (lock.tryLockSync(true) && names(temporary).includes(basename(`${directory}.lock`))) {
          Deno.mkdirSync(directory);
          return new Writer(store, directory, [lock, writing]);
        }
        lock.close();
      }
    } catch (error) {
      throw storeError(`write to the store ${store}`, error);
    }
  }

  /** The same place for a worker of the process that opened it; `label` keeps their files apart. */
  static attach(store: string, directory: string, label: string): Writer {
    const own = join(directory, label);
    try {
      Deno.mkdirSync(own, { recursive: true });
    } catch (error) {
      throw storeError(`write to the store ${store}`, error);
    }
    return new Writer(store, own, []);
  }

  /**
   * Puts `parts` at `path` in one step: temporary file, sync, rename, sync of the folder.
   *
   * @throws {StoreError} when it cannot be written; nothing is left behind then
   */
  write(path: string, parts: readonly Uint8Array[], options: { readOnly?: boolean } = {}): void {
    const temporary = join(this.directory, `${this.#count++}`);
    try {
      const file = Deno.openSync(temporary, { createNew: true, write: true });
      try {
        for (const part of parts) for (let at = 0; at < part.length;) at += file.writeSync(part.subarray(at));
        file.syncSync();
      } finally {
        file.close();
      }
      if (options.readOnly && Deno.build.os !== "windows") Deno.chmodSync(temporary, 0o444);
      Deno.mkdirSync(dirname(path), { recursive: true });
      Deno.renameSync(temporary, path);
      syncDirectory(dirname(path));
    } catch (error) {
      remove(temporary);
      throw storeError(`write to the store ${this.#store}`, error);
    }
  }

  /**
   * Moves a finished file to `path` in one step, read-only: from the store's own disk by renaming it, else by a copy.
   *
   * @throws {StoreError} when it cannot be moved
   */
  take(from: string, path: string): void {
    const temporary = join(this.directory, `${this.#count++}`);
    try {
      try {
        Deno.renameSync(from, temporary);
      } catch (error) {
        if ((error as { code?: string }).code !== "EXDEV") throw error;
        Deno.copyFileSync(from, temporary);
        remove(from);
      }
      {
        using file = Deno.openSync(temporary, { read: true, write: true });
        file.syncSync();
      }
      if (Deno.build.os !== "windows") Deno.chmodSync(temporary, 0o444);
      Deno.mkdirSync(dirname(path), { recursive: true });
      Deno.renameSync(temporary, path);
      syncDirectory(dirname(path));
    } catch (error) {
      remove(temporary);
      throw storeError(`write to the store ${this.#store}`, error);
    }
  }

  /** Removes the unfinished files and frees the locks. */
  [Symbol.dispose](): void {
    remove(this.directory);
    if (this.#locks.length === 0) return;
    remove(`${this.directory}.lock`);
    for (const lock of this.#locks) lock.close();
  }
}

/**
 * Does something while no process writes to the store.
 *
 * @throws {StoreError} when one does
 */
export function exclusively<T>(store: string, action: () => T): T {
  let lock: Deno.FsFile;
  try {
    Deno.mkdirSync(store, { recursive: true });
    lock = Deno.openSync(join(store, "lock"), { create: true, read: true, write: true });
  } catch (error) {
    throw storeError(`write to the store ${store}`, error);
  }
  try {
    if (lock.tryLockSync(true)) return action();
    throw new StoreError(`Cannot collect in ${store}: another process is writing to it, wait for its end`);
  } finally {
    lock.close();
  }
}

/** Removes a file or folder if it is there. */
export function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** File names in a folder, sorted; none when it does not exist. Temporary names are never among a store's own. */
export function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

/** A file's bytes; undefined when it does not exist. */
export function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** Removes unfinished files whose process is gone: its lock is free. */
function sweep(temporary: string): void {
  for (const name of names(temporary)) {
    if (!name.endsWith(".lock")) continue;
    const path = join(temporary, name);
    try {
      using file = Deno.openSync(path, { write: true });
      if (!file.tryLockSync(true)) continue;
      remove(path.slice(0, -".lock".length));
      remove(path);
    } catch (error) {
      // Another process sweeps too, and was faster.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function syncDirectory(path: string): void {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  using folder = Deno.openSync(path);
  folder.syncSync();
}
