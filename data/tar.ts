/**
 * A folder as one file: POSIX ustar with nothing but regular files, sorted by name, without times or owners, so that equal
 * folders are equal bytes. LeRobot's data sets and checkpoints lie in the store that way. Read and written piece by piece.
 */
import { dirname, join } from "node:path";

const BLOCK = 512;
/** Pieces of a file that pass through memory at once. */
const PIECE = 1 << 20;

/**
 * Packs all files below `folder` that `keep` wants, links followed, into the new file `path`.
 *
 * @throws {RangeError} when a name or a size does not fit the format
 */
export function packTar(folder: string, path: string, keep: (name: string) => boolean = () => true): void {
  using out = Deno.openSync(path, { createNew: true, write: true });
  const put = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += out.writeSync(bytes.subarray(at));
  };
  const piece = new Uint8Array(PIECE);
  for (const name of filesBelow(folder).filter(keep)) {
    using file = Deno.openSync(join(folder, name));
    const { size } = file.statSync();
    put(header(name, size));
    let left = size;
    for (let read = file.readSync(piece); read !== null; read = file.readSync(piece)) {
      put(piece.subarray(0, read));
      left -= read;
    }
    if (left !== 0) throw new RangeError(`Cannot pack ${name}: its size changed meanwhile`);
    put(new Uint8Array(-size & (BLOCK - 1)));
  }
  put(new Uint8Array(2 * BLOCK));
}

/**
 * Unpacks `path` into `folder`, which is made.
 *
 * @throws {SyntaxError} when it is no such archive, is cut off, names a file twice or one outside the folder
 */
export function unpackTar(path: string, folder: string): void {
  const fail = (reason: string): never => {
    throw new SyntaxError(`Cannot unpack ${path}: ${reason}`);
  };
  using archive = Deno.openSync(path);
  const piece = new Uint8Array(PIECE);
  const fill = (bytes: Uint8Array): Uint8Array => {
    for (let at = 0; at < bytes.length;) {
      const read = archive.readSync(bytes.subarray(at));
      if (read === null) return fail("it is cut off");
      at += read;
    }
    return bytes;
  };
  const block = new Uint8Array(BLOCK);
  Deno.mkdirSync(folder, { recursive: true });
  while (fill(block).some((byte) => byte !== 0)) {
    const entry = readHeader(block);
    if (typeof entry === "string") return fail(entry);
    const { name, size } = entry;
    const parts = name.split("/");
    const outside = name.includes("\\") || parts.some((part) => part === "" || part === "." || part === "..");
    if (outside) return fail(`it holds ${JSON.stringify(name)}`);
    Deno.mkdirSync(dirname(join(folder, name)), { recursive: true });
    const out = open(join(folder, name)) ?? fail(`it holds ${name} twice`);
    try {
      for (let left = size; left > 0;) {
        const part = fill(piece.subarray(0, Math.min(PIECE, left)));
        for (let at = 0; at < part.length;) at += out.writeSync(part.subarray(at));
        left -= part.length;
      }
    } finally {
      out.close();
    }
    fill(block.subarray(0, -size & (BLOCK - 1)));
  }
  fill(block);
}

/** Names of all files below a folder, with slashes, sorted by code units. */
function filesBelow(folder: string): string[] {
  const found: string[] = [];
  const visit = (prefix: string) => {
    for (const { name } of Deno.readDirSync(join(folder, prefix))) {
      const path = prefix === "" ? name : `${prefix}/${name}`;
      // Links (LeRobot's "last" checkpoint) count as what they point to.
      if (Deno.statSync(join(folder, path)).isDirectory) visit(path);
      else found.push(path);
    }
  };
  visit("");
  return found.sort((a, b) => a < b ? -1 : 1);
}

function open(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { createNew: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
}

/** A header: name (split at a slash where it is long), mode 644, size, no owner, time 0. */
function header(path: string, size: number): Uint8Array {
  const encode = (text: string) => new TextEncoder().encode(text);
  const cut = path.length <= 100 ? 0 : path.indexOf("/", path.length - 101) + 1;
  const [prefix, name] = cut === 0 ? ["", path] : [path.slice(0, cut - 1), path.slice(cut)];
  if (encode(name).length > 100 || encode(prefix).length > 155) {
    throw new RangeError(`Cannot pack ${path}: its name does not fit a tar file`);
  }
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => block.set(encode(text), at);
  const octal = (at: number, value: number, digits: number) =>
    put(at, value.toString(8).padStart(digits, "0"));
  put(0, name);
  octal(100, 0o644, 7);
  octal(108, 0, 7);
  octal(116, 0, 7);
  // Beyond 8 GiB in binary, as GNU tar and Python's tarfile have it.
  if (size < 8 ** 11) octal(124, size, 11);
  else {
    block[124] = 0x80;
    new DataView(block.buffer).setBigUint64(128, BigInt(size));
  }
  octal(136, 0, 11);
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\x0000");
  put(345, prefix);
  octal(148, block.reduce((sum, byte) => sum + byte), 6);
  put(154, "\0 ");
  return block;
}

/** What a header says, or what is wrong with it. */
function readHeader(block: Uint8Array): { name: string; size: number } | string {
  const text = (at: number, length: number) =>
    new TextDecoder().decode(block.subarray(at, at + length)).replace(/\0.*$/s, "");
  const sum = block.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (parseInt(text(148, 8), 8) !== sum) return "it is no tar file";
  const prefix = text(345, 155);
  const name = prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  const large = block[124] === 0x80;
  const size = large
    ? Number(new DataView(block.buffer, block.byteOffset).getBigUint64(128))
    : parseInt(text(124, 12), 8);
  if (block[156] !== 0x30 || !Number.isSafeInteger(size) || size < 0) return `${name} is no regular file`;
  return { name, size };
}
