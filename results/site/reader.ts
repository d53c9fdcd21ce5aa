/**
 * A store as the browser sees it: read only. Damage found on the way is said and left where it is; moving it aside is
 * `exp fsck`'s work. Hashes are the only names, so no text of a request becomes a path.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { names, readIfThere } from "../../lab/durable.ts";
import type { StageKey } from "../../lab/key.ts";
import { Objects } from "../../lab/objects.ts";
import type { RunProgress } from "../../lab/progress_file.ts";
import { unseal } from "../../lab/sealed.ts";
import { logName, type Outcome, outcomeNumber, type RunRecord } from "../../lab/store.ts";

/** 64 hexadecimal digits: a key, a definition or a result. */
export const HASH = /^[0-9a-f]{64}$/;
/** `sha256:` and 64 hexadecimal digits. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** A document that is there, and whole or not. */
export type Found<T> = { readonly value: T } | "damaged" | "missing";

/** One outcome of a key with its place among them. */
export interface NumberedOutcome {
  /** 0 is the first observed. */
  readonly number: number;
  /** The outcome; "damaged" where its document does not match its seal. */
  readonly outcome: Outcome | "damaged";
}

/** An object found whole: its bytes are those its digest says. */
export interface WholeFile {
  /** Where it lies. */
  readonly path: string;
  /** Number of bytes. */
  readonly size: number;
}

/** Reads one store folder. */
export class Reader {
  /** The store's folder. */
  readonly directory: string;
  readonly #objects: Objects;
  /** What was found whole, by digest: size and times of the file then. */
  readonly #verified = new Map<string, string>();

  /** Reads the store in a folder, which need not exist yet. */
  constructor(directory: string) {
    this.directory = directory;
    this.#objects = new Objects(directory);
  }

  /** Names of the run records, with what tells that one has changed. */
  runFiles(): { name: string; stamp: string }[] {
    const folder = join(this.directory, "runs");
    return names(folder).filter((name) => RUN_FILE.test(name)).flatMap((name) => {
      const stamp = stampOf(join(folder, name));
      return stamp === undefined ? [] : [{ name, stamp }];
    });
  }

  /** The record of a run. */
  run(definition: string, seed: number): Found<RunRecord> {
    if (!HASH.test(definition) || !Number.isSafeInteger(seed) || seed < 0) return "missing";
    return this.#sealed<RunRecord>(join("runs", `${definition}-${seed}.json`));
  }

  /** The preimage stored with a key. */
  key(key: string): Found<StageKey> {
    return HASH.test(key) ? this.#sealed<StageKey>(join("outcomes", key, "key.json")) : "missing";
  }

  /** All outcomes of a key, the first observed first. */
  outcomes(key: string): NumberedOutcome[] {
    if (!HASH.test(key)) return [];
    return names(join(this.directory, "outcomes", key)).flatMap((name) => {
      const number = outcomeNumber(name);
      if (number === undefined) return [];
      const found = this.#sealed<Outcome>(join("outcomes", key, name));
      if (found === "missing") return [];
      const whole = found !== "damaged" && found.value.key === key;
      return [{ number, outcome: whole ? found.value : "damaged" as const }];
    });
  }

  /** The first outcome of a key that is whole and whose outputs are all there. */
  outcome(key: string): Outcome | undefined {
    for (const { outcome } of this.outcomes(key)) {
      if (outcome !== "damaged" && Object.values(outcome.outputs).every((blob) => this.#isThere(blob))) {
        return outcome;
      }
    }
    return undefined;
  }

  /** A log: that of an outcome, or of a stage that runs or failed. Undefined when there is none. */
  log(key: string, number?: number): Uint8Array | undefined {
    if (!HASH.test(key)) return undefined;
    const path = number === undefined ? join("logs", `${key}.log`) : join("outcomes", key, logName(number));
    return readIfThere(join(this.directory, path));
  }

  /** What runs tell of themselves; a file that cannot be read is left out. */
  progress(): { name: string; stamp: string; progress: RunProgress }[] {
    const folder = join(this.directory, "progress");
    return names(folder).filter((name) => RUN_FILE.test(name)).flatMap((name) => {
      try {
        const progress = JSON.parse(Deno.readTextFileSync(join(folder, name))) as RunProgress;
        const stamp = stampOf(join(folder, name));
        return progress.kind === "uplift/progress" && stamp !== undefined ? [{ name, stamp, progress }] : [];
      } catch {
        return [];
      }
    });
  }

  /** The stored report of a run; undefined when there is none or it is of another result. */
  report(definition: string, seed: number, result: string): Record<string, unknown> | undefined {
    const bytes = readIfThere(join(this.directory, "reports", `${definition}-${seed}`, "report.json"));
    try {
      const report = bytes && JSON.parse(new TextDecoder().decode(bytes));
      return report?.result === result ? report : undefined;
    } catch {
      return undefined;
    }
  }

  /** An object's file, once its bytes were compared with its digest; read again only when the file has changed. */
  async object(digest: string): Promise<WholeFile | "damaged" | "missing"> {
    if (!DIGEST.test(digest)) return "missing";
    const path = this.#objects.path(digest);
    const stamp = stampOf(path);
    if (stamp === undefined) return "missing";
    const size = Deno.statSync(path).size;
    if (this.#verified.get(digest) === stamp) return { path, size };
    const hash = createHash("sha256");
    using file = await Deno.open(path);
    const buffer = new Uint8Array(1 << 20);
    for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
      hash.update(buffer.subarray(0, n));
    }
    if (`sha256:${hash.digest("hex")}` !== digest) return "damaged";
    this.#verified.set(digest, stamp);
    return { path, size };
  }

  /**
   * An object's bytes, checked.
   *
   * @throws {StoreError} when it is missing or damaged
   */
  read(digest: string): Uint8Array {
    return this.#objects.read(digest);
  }

  #isThere({ digest, bytes }: { digest: string; bytes: number }): boolean {
    try {
      return DIGEST.test(digest) && Deno.statSync(this.#objects.path(digest)).size === bytes;
    } catch {
      return false;
    }
  }

  #sealed<T>(path: string): Found<T> {
    const bytes = readIfThere(join(this.directory, path));
    if (!bytes) return "missing";
    const value = unseal<T>(bytes);
    return value === undefined ? "damaged" : { value };
  }
}

const RUN_FILE = /^[0-9a-f]{64}-\d+\.json$/;

/** Size and times of a file, as text; undefined when it is not there. */
function stampOf(path: string): string | undefined {
  try {
    const { size, mtime, ctime, ino } = Deno.statSync(path);
    return [size, mtime?.getTime(), ctime?.getTime(), ino].join();
  } catch {
    return undefined;
  }
}
