/**
 * index.sqlite: what the store knows, for quick answers. Everything in it is derived from the files beside it and can
 * be rebuilt; when it cannot be opened, an empty one in memory does.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { remove } from "./durable.ts";

const VERSION = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS verified (
    digest TEXT PRIMARY KEY, size INTEGER, modified INTEGER, changed INTEGER, inode INTEGER);
  CREATE TABLE IF NOT EXISTS outcomes (
    key TEXT, number INTEGER, entry TEXT, name TEXT, experiment TEXT, seed INTEGER, created TEXT, seconds REAL,
    PRIMARY KEY (key, number));
  PRAGMA user_version = ${VERSION};
`;

/** A row of the outcomes table. */
export interface IndexedOutcome {
  /** Key it stands for. */
  readonly key: string;
  /** Which outcome of the key, in the order of their files. */
  readonly number: number;
  /** Repository-relative path of the stage's module. */
  readonly entry: string;
  /** Name of the stage in its graph. */
  readonly name: string;
  /** Experiment that asked for it first. */
  readonly experiment: string;
  /** Seed of its random streams. */
  readonly seed: number;
  /** ISO 8601. */
  readonly created: string;
  /** Seconds of computing, over all attempts. */
  readonly seconds: number;
}

// Two changes of a file within one tick of the clock look alike: a file this young is not yet known by its times.
const TICK_MS = 50;

/** The derived index of one store. */
export class StoreIndex {
  readonly #store: string;
  #opened: DatabaseSync | undefined;

  /** The index of a store's folder, opened at the first use; a damaged one is made anew. */
  constructor(store: string) {
    this.#store = store;
  }

  /** Undefined while there is no store: looking at one does not make it. */
  get #database(): DatabaseSync | undefined {
    if (!this.#opened && isFolder(this.#store)) this.#opened = openIndex(this.#store);
    return this.#opened;
  }

  /** Whether a file with these times was found equal to the digest before. */
  isVerified(digest: string, stat: Deno.FileInfo): boolean {
    const row = this.#try((database) =>
      database.prepare("SELECT * FROM verified WHERE digest = ?").get(digest)
    );
    return row !== undefined && row.size === stat.size && row.inode === (stat.ino ?? 0) &&
      row.modified === time(stat.mtime) && row.changed === time(stat.ctime);
  }

  /** Remembers that a file with these times equals the digest. */
  setVerified(digest: string, stat: Deno.FileInfo): void {
    const changed = Math.max(time(stat.mtime), time(stat.ctime));
    if (Date.now() - changed < TICK_MS) return;
    this.#try((database) =>
      database.prepare("INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?, ?)")
        .run(digest, stat.size, time(stat.mtime), time(stat.ctime), stat.ino ?? 0)
    );
  }

  /** Forgets what was known of a digest. */
  dropVerified(digest: string): void {
    this.#try((database) => database.prepare("DELETE FROM verified WHERE digest = ?").run(digest));
  }

  /** Adds or replaces outcomes, all at once. */
  addOutcomes(rows: readonly IndexedOutcome[]): void {
    if (rows.length === 0) return;
    this.#try((database) => {
      database.exec("BEGIN IMMEDIATE");
      const insert = database.prepare(
        "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      );
      for (const r of rows) {
        insert.run(r.key, r.number, r.entry, r.name, r.experiment, r.seed, r.created, r.seconds);
      }
      database.exec("COMMIT");
    });
  }

  /** Forgets all outcomes, to be indexed again. */
  clearOutcomes(): void {
    this.#try((database) => database.exec("DELETE FROM outcomes"));
  }

  /** Forgets the outcomes of a key. */
  dropOutcomes(key: string): void {
    this.#try((database) => database.prepare("DELETE FROM outcomes WHERE key = ?").run(key));
  }

  /** Every indexed outcome, newest first. */
  outcomes(): IndexedOutcome[] {
    const rows = this.#try((database) =>
      database.prepare("SELECT * FROM outcomes ORDER BY created DESC, key").all()
    );
    return (rows ?? []) as unknown as IndexedOutcome[];
  }

  /** Closes the database. */
  [Symbol.dispose](): void {
    this.#opened?.close();
  }

  /** A derived index must not fail what it speeds up: when a disk is full, it is merely out of date. */
  #try<T>(action: (database: DatabaseSync) => T): T | undefined {
    const database = this.#database;
    try {
      return database && action(database);
    } catch {
      if (database?.isTransaction) database.exec("ROLLBACK");
      return undefined;
    }
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function openIndex(store: string): DatabaseSync {
  const path = join(store, "index.sqlite");
  try {
    return openDatabase(path);
  } catch (error) {
    if (!(error instanceof DamagedIndex)) return openDatabase(":memory:");
  }
  try {
    for (const suffix of ["", "-wal", "-shm"]) remove(path + suffix);
    return openDatabase(path);
  } catch {
    return openDatabase(":memory:");
  }
}

class DamagedIndex extends Error {}

// SQLite's texts for SQLITE_NOTADB and SQLITE_CORRUPT; node:sqlite in Deno gives no result code.
const DAMAGED = /not a database|malformed/;

/** @throws {DamagedIndex} when the file has to be made anew */
function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5000 });
  try {
    if (path !== ":memory:") database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    const version = database.prepare("PRAGMA user_version").get()!.user_version;
    if (version !== VERSION && version !== 0) throw new DamagedIndex(`version ${version}`);
    if (database.prepare("PRAGMA quick_check(1)").get()!.quick_check !== "ok") {
      throw new DamagedIndex("damaged");
    }
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error instanceof Error && DAMAGED.test(error.message) ? new DamagedIndex(error.message) : error;
  }
}

const time = (date: Date | null) => date?.getTime() ?? 0;
