/**
 * Texts of the modules that stages ran, so that a later diff can show code and not only that it changed. A text lies
 * under the digest that keys know its module by: what is read back is checked by computing that digest again.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { names, readIfThere, type Writer } from "./durable.ts";
import { moduleDigest, repository } from "./module_graph.ts";

/** Larger modules (scenes with meshes, networks) are known by their digest alone. */
const MAX_BYTES = 1 << 20;

/** The module texts of one store: sources/ab/cdef... */
export class Sources {
  readonly #store: string;

  /** The texts in the folder of a store. */
  constructor(store: string) {
    this.#store = store;
  }

  /** Where a text lies; `digest` is 64 hexadecimal digits. */
  path(digest: string): string {
    return join(this.#store, "sources", digest.slice(0, 2), digest.slice(2));
  }

  /**
   * Keeps the texts of modules as they are in the checkout now. A file whose digest is another by now is left out, and
   * so is what is not text.
   *
   * @param modules digests by repository-relative path, as in a key
   * @throws {StoreError} when the store cannot be written
   */
  keep(modules: Readonly<Record<string, string>>, writer: Writer, root: URL = repository): void {
    const present = new Set(this.list());
    for (const [path, digest] of Object.entries(modules)) {
      if (present.has(digest)) continue;
      const bytes = readIfThere(fileURLToPath(new URL(path, root)));
      if (bytes && moduleDigest(path, bytes) === digest) this.put(digest, bytes, writer);
    }
  }

  /** Stores one text under a digest that the caller has checked; larger files and what is not text are left out. */
  put(digest: string, bytes: Uint8Array, writer: Writer): void {
    if (bytes.length > MAX_BYTES || bytes.includes(0)) return;
    writer.write(this.path(digest), [bytes], { readOnly: true });
  }

  /**
   * The text of a module: from the store, or from the checkout where the module is still the same; undefined where
   * neither has it.
   */
  read(path: string, digest: string, root: URL = repository): string | undefined {
    for (const file of [this.path(digest), fileURLToPath(new URL(path, root))]) {
      const bytes = readIfThere(file);
      if (!bytes || bytes.length > MAX_BYTES || bytes.includes(0)) continue;
      if (moduleDigest(path, bytes) === digest) return new TextDecoder().decode(bytes);
    }
    return undefined;
  }

  /** Bytes of a stored text that still has its digest; undefined for all others. */
  stored(path: string, digest: string): Uint8Array | undefined {
    const bytes = readIfThere(this.path(digest));
    return bytes && moduleDigest(path, bytes) === digest ? bytes : undefined;
  }

  /** Digests of all texts, whole or not. */
  list(): string[] {
    const root = join(this.#store, "sources");
    return names(root).flatMap((head) => names(join(root, head)).map((tail) => head + tail));
  }
}
