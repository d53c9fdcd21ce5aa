/** Immutable blobs by their SHA-256: objects/sha256/ab/cdef... */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { sha256 } from "./canonical.ts";
import { names, remove, storeError, type Writer } from "./durable.ts";
import { StoreError } from "./errors.ts";

/** A blob's identity. */
export interface Blob {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  /** Number of bytes. */
  readonly bytes: number;
}

/** What is remembered of files already found whole. */
export interface Verified {
  /** Whether a file with these times was found whole before. */
  isVerified(digest: string, stat: Deno.FileInfo): boolean;
  /** Remembers that it was. */
  setVerified(digest: string, stat: Deno.FileInfo): void;
  /** Forgets it. */
  dropVerified(digest: string): void;
}

/** State of a blob on the disk. */
export type Condition = "whole" | "missing" | "damaged";

/** The digest of some bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${sha256(bytes)}`;
}

/** The digest of a file's bytes, read piece by piece: checkpoints are larger than memory. */
export function digestOfFile(path: string): string {
  const hash = createHash("sha256");
  using file = Deno.openSync(path);
  const piece = new Uint8Array(1 << 20);
  for (let read = file.readSync(piece); read !== null; read = file.readSync(piece)) {
    hash.update(piece.subarray(0, read));
  }
  return `sha256:${hash.digest("hex")}`;
}

/** A store's blobs. Without `verified`, each check reads the whole file. */
export class Objects {
  readonly #store: string;
  readonly #verified: Verified | undefined;

  /** The blobs in the folder of a store. */
  constructor(store: string, verified?: Verified) {
    this.#store = store;
    this.#verified = verified;
  }

  /** Where a blob lies. */
  path(digest: string): string {
    const hex = digest.slice("sha256:".length);
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) {
      throw new StoreError(`Cannot find object "${digest}": not a digest`);
    }
    return join(this.#store, "objects", "sha256", hex.slice(0, 2), hex.slice(2));
  }

  /** Stores bytes; an equal blob that is already there is kept, a damaged one in its place is moved aside. */
  put(bytes: Uint8Array, writer: Writer): Blob {
    const digest = digestOf(bytes);
    const condition = this.check({ digest, bytes: bytes.length });
    if (condition === "damaged") this.quarantine(digest);
    if (condition !== "whole") {
      this.#verified?.dropVerified(digest);
      writer.write(this.path(digest), [bytes], { readOnly: true });
    }
    return { digest, bytes: bytes.length };
  }

  /** Stores a finished file, which is gone from its place then: as `put` does bytes. */
  take(path: string, writer: Writer): Blob {
    const digest = digestOfFile(path);
    const bytes = Deno.statSync(path).size;
    const condition = this.check({ digest, bytes });
    if (condition === "damaged") this.quarantine(digest);
    if (condition === "whole") remove(path);
    else {
      this.#verified?.dropVerified(digest);
      writer.take(path, this.path(digest));
    }
    return { digest, bytes };
  }

  /** Compares the file with its digest; reads it only if it changed since it was last found whole. */
  check(blob: Blob, options: { thorough?: boolean } = {}): Condition {
    const path = this.path(blob.digest);
    try {
      const stat = Deno.statSync(path);
      if (!stat.isFile || stat.size !== blob.bytes) return "damaged";
      if (!options.thorough && this.#verified?.isVerified(blob.digest, stat)) return "whole";
      if (digestOfFile(path) !== blob.digest) return "damaged";
      this.#verified?.setVerified(blob.digest, stat);
      return "whole";
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "missing";
      throw storeError(`read object ${blob.digest}`, error);
    }
  }

  /**
   * A blob's bytes, checked.
   *
   * @throws {StoreError} when it is missing or damaged
   */
  read(digest: string): Uint8Array {
    try {
      const bytes = Deno.readFileSync(this.path(digest));
      if (digestOf(bytes) === digest) return bytes;
    } catch (error) {
      throw storeError(`read object ${digest}`, error);
    }
    throw new StoreError(`Cannot read object ${digest}: its bytes do not match, run exp fsck`);
  }

  /** Remembers that a blob this process wrote is whole. */
  trust(digest: string): void {
    this.#verified?.setVerified(digest, Deno.statSync(this.path(digest)));
  }

  /** Moves a blob's file aside; returns where it went. */
  quarantine(digest: string): string {
    this.#verified?.dropVerified(digest);
    return quarantine(this.#store, this.path(digest), digest.slice("sha256:".length));
  }

  /** Digests of all blobs on the disk, whole or not; `stray` are files that cannot be blobs. */
  list(): { digests: string[]; stray: string[] } {
    const root = join(this.#store, "objects", "sha256");
    const digests: string[] = [];
    const stray: string[] = [];
    for (const head of names(root)) {
      for (const tail of names(join(root, head))) {
        if (/^[0-9a-f]{64}$/.test(head + tail) && head.length === 2) digests.push(`sha256:${head}${tail}`);
        else stray.push(join(root, head, tail));
      }
    }
    return { digests, stray };
  }
}

/** Moves a file of the store into quarantine/ under `name`, or `name.1`, ...; returns its new path. */
export function quarantine(store: string, path: string, name: string): string {
  try {
    const folder = join(store, "quarantine");
    Deno.mkdirSync(folder, { recursive: true });
    const taken = new Set(names(folder));
    let free = name;
    for (let i = 1; taken.has(free); i++) free = `${name}.${i}`;
    Deno.renameSync(path, join(folder, free));
    return join(folder, free);
  } catch (error) {
    throw storeError(`quarantine ${path}`, error);
  }
}
