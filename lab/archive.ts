/**
 * An export as one .tar.zst file: POSIX ustar with nothing but regular files, sorted, without times or owners, so that
 * equal exports are equal archives under one version of zstd.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";
import { filesOf, isInside } from "./bundle.ts";
import { remove, storeError } from "./durable.ts";
import { UsageError } from "./errors.ts";
import { type Exported, exportRuns } from "./export.ts";
import type { Store } from "./store.ts";
import type { Subject } from "./subject.ts";

const BLOCK = 512;
const LEVEL_CHECKSUM = { params: { [201 /* ZSTD_c_checksumFlag */]: 1 } };

/**
 * Exports finished runs into one file. It appears whole or not at all.
 *
 * @throws {UsageError} when the file is there already, or a run is not finished
 * @throws {StoreError} when an object is damaged or the file cannot be written
 */
export async function exportArchive(
  subjects: readonly Subject[],
  path: string,
  store: Store,
): Promise<Exported> {
  if (isThere(path)) throw new UsageError(`Cannot export to ${path}: it is there already`);
  const folder = join(dirname(path), `.${crypto.randomUUID()}.tmp`);
  try {
    const written = exportRuns(subjects, join(folder, "export"), store);
    const packed = join(folder, "packed");
    // Not the name of the file: equal exports are equal archives.
    const [{ experiment, definition }] = written.runs as [Exported["runs"][number]];
    await pack(join(folder, "export"), `${experiment}-${definition.slice(0, 12)}`, packed);
    Deno.renameSync(packed, path);
    return { ...written, bytes: Deno.statSync(path).size };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw storeError(`export to ${path}`, error);
  } finally {
    remove(folder);
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Packs a folder's files under the name `root`. */
export async function pack(folder: string, root: string, path: string): Promise<void> {
  function* blocks() {
    for (const file of filesOf(folder)) {
      const bytes = Deno.readFileSync(join(folder, file));
      yield header(`${root}/${file}`, bytes.length);
      yield bytes;
      yield new Uint8Array(-bytes.length & (BLOCK - 1));
    }
    yield new Uint8Array(2 * BLOCK);
  }
  const nonempty = Readable.from((function* () {
    for (const block of blocks()) if (block.length > 0) yield block;
  })());
  await pipeline(nonempty, createZstdCompress(LEVEL_CHECKSUM), createWriteStream(path));
}

/**
 * Unpacks an archive into a folder, without the first part of each name.
 *
 * @throws {SyntaxError} when it is no such archive, is cut off, or holds anything but regular files inside one folder
 */
export async function unpack(path: string, folder: string): Promise<void> {
  let rest = new Uint8Array();
  let file: { name: string; left: number; padding: number; out: Deno.FsFile } | undefined;
  let ended = false;
  const source = createReadStream(path).pipe(createZstdDecompress());
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      rest = joined(rest, chunk);
      while (true) {
        if (file) {
          const part = rest.subarray(0, file.left);
          for (let at = 0; at < part.length;) at += file.out.writeSync(part.subarray(at));
          file.left -= part.length;
          rest = rest.subarray(part.length);
          if (file.left > 0 || rest.length < file.padding) break;
          rest = rest.subarray(file.padding);
          file.out.close();
          file = undefined;
        }
        if (rest.length < BLOCK) break;
        const block = rest.subarray(0, BLOCK);
        rest = rest.subarray(BLOCK);
        if (block.every((byte) => byte === 0)) {
          ended = true;
          continue;
        }
        if (ended) throw new SyntaxError("it goes on after its end");
        const { name, size } = parse(block);
        const inside = name.slice(name.indexOf("/") + 1);
        if (!name.includes("/") || !isInside(inside)) {
          throw new SyntaxError(`it holds ${JSON.stringify(name)}`);
        }
        Deno.mkdirSync(dirname(join(folder, inside)), { recursive: true });
        const out = Deno.openSync(join(folder, inside), { createNew: true, write: true });
        file = { name, left: size, padding: -size & (BLOCK - 1), out };
      }
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    const known = error instanceof Deno.errors.AlreadyExists;
    throw new SyntaxError(known ? "it holds a file twice" : "it is not a whole .tar.zst file", {
      cause: error,
    });
  } finally {
    file?.out.close();
  }
  if (!ended || file) throw new SyntaxError("it is cut off");
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

/** A ustar header: name (split at a slash where it is long), mode 644, size, no owner, time 0. */
function header(path: string, size: number): Uint8Array {
  const cut = path.length <= 100 ? 0 : path.indexOf("/", path.length - 101) + 1;
  const [prefix, name] = cut === 0 ? ["", path] : [path.slice(0, cut - 1), path.slice(cut)];
  if (name.length > 100 || prefix.length > 155 || size >= 8 ** 11) {
    throw new RangeError(`Cannot pack ${path} of ${size} bytes: its name or size does not fit a tar file`);
  }
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at);
  const octal = (at: number, value: number, digits: number) =>
    put(at, value.toString(8).padStart(digits, "0"));
  put(0, name);
  octal(100, 0o644, 7);
  octal(108, 0, 7);
  octal(116, 0, 7);
  octal(124, size, 11);
  octal(136, 0, 11);
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\x0000");
  put(345, prefix);
  octal(148, block.reduce((sum, byte) => sum + byte), 6);
  put(154, "\0 ");
  return block;
}

function parse(block: Uint8Array): { name: string; size: number } {
  const text = (at: number, length: number) =>
    new TextDecoder().decode(block.subarray(at, at + length)).replace(/\0.*$/s, "");
  const sum = block.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0);
  const prefix = text(345, 155);
  const name = prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  if (parseInt(text(148, 8), 8) !== sum) throw new SyntaxError("it is not a whole .tar.zst file");
  const size = parseInt(text(124, 12), 8);
  if (block[156] !== 0x30 || !Number.isSafeInteger(size) || size < 0) {
    throw new SyntaxError(`${name} is not a regular file`);
  }
  return { name, size };
}
