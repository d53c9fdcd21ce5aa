/** One kernel lock per key: who holds it makes the outcome, others wait. The kernel frees it when its process ends. */
import { join } from "node:path";
import { storeError } from "./durable.ts";
import { Interruption } from "./errors.ts";

/** Who holds a lock, for those who wait. */
export interface Holder {
  /** Number of its process. */
  readonly pid: number;
  /** The experiment it runs. */
  readonly experiment: string;
  /** The stage it makes. */
  readonly stage: string;
}

/** Ways to watch and end a wait. */
export interface LockOptions {
  /** Called once when the lock is taken; `holder` is what its owner wrote, if it could be read. */
  readonly waiting?: (holder: Holder | undefined) => void;
  /** Whether to give up; asked ten times a second. */
  readonly interrupted: () => boolean;
}

const POLL_MS = 100;

/**
 * Waits for a key's lock.
 *
 * @throws {Interruption} when interrupted while it waits
 * @throws {StoreError} when the store cannot be written
 */
export async function lockKey(
  store: string,
  key: string,
  holder: Holder,
  { waiting, interrupted }: LockOptions,
): Promise<Disposable> {
  const path = join(store, "locks", `${key}.lock`);
  let told = false;
  while (true) {
    const file = openLock(store, path);
    if (file.tryLockSync(true)) {
      // The collector may have removed the file after it was opened: then this lock guards nothing.
      if (isStillAt(path, file)) {
        describe(file, holder);
        return { [Symbol.dispose]: () => file.close() };
      }
      file.close();
      continue;
    }
    file.close();
    if (!told) waiting?.(readHolder(path));
    told = true;
    if (interrupted()) throw new Interruption("Interrupted while waiting for another process");
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Removes lock files nobody holds; returns how many. */
export function removeFreeLocks(store: string, files: readonly string[]): number {
  let removed = 0;
  for (const name of files) {
    const path = join(store, "locks", name);
    using file = Deno.openSync(path, { write: true });
    if (!file.tryLockSync(true)) continue;
    Deno.removeSync(path);
    removed++;
  }
  return removed;
}

function openLock(store: string, path: string): Deno.FsFile {
  try {
    Deno.mkdirSync(join(store, "locks"), { recursive: true });
    return Deno.openSync(path, { create: true, read: true, write: true });
  } catch (error) {
    throw storeError(`write to the store ${store}`, error);
  }
}

function isStillAt(path: string, file: Deno.FsFile): boolean {
  try {
    return Deno.statSync(path).ino === file.statSync().ino;
  } catch {
    return false;
  }
}

function describe(file: Deno.FsFile, holder: Holder): void {
  try {
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(JSON.stringify(holder)));
  } catch {
    // Only those who wait read it; a full disk is reported by what follows.
  }
}

function readHolder(path: string): Holder | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path));
  } catch {
    return undefined;
  }
}
