/** The files of a data set in a folder, by paths with forward slashes. */
import { isInside } from "./lerobot_info.ts";
import type { Slices } from "./parquet_read.ts";

/** Files by path. */
export interface Files {
  /** How errors call the place. */
  readonly name: string;
  /** All paths, sorted. */
  readonly paths: readonly string[];
  /** Size of a file in bytes. */
  size(path: string): number;
  /** A file for reading in parts. */
  open(path: string): Slices;
  /** A whole file. */
  read(path: string): Uint8Array<ArrayBuffer>;
}

/** Hidden files and folders are none of a data set's: caches and attributes that hubs leave. */
const isHidden = (name: string) => name.startsWith(".");

/**
 * The files below a folder; links to files are followed, as the caches of hubs consist of them.
 *
 * @throws {Error} when the folder cannot be read
 */
export function filesIn(folder: string): Files {
  const root = folder.replace(/\/+$/, "");
  const paths: string[] = [];
  const walk = (inner: string) => {
    for (const { name } of Deno.readDirSync(`${root}/${inner}`)) {
      if (isHidden(name)) continue;
      const path = `${inner}${name}`;
      if (Deno.statSync(`${root}/${path}`).isDirectory) walk(`${path}/`);
      else paths.push(path);
    }
  };
  try {
    walk("");
  } catch (cause) {
    throw new Error(`Cannot open data set ${folder}: it must be a folder that can be read`, { cause });
  }
  const place = (path: string) => {
    if (!isInside(path)) throw new RangeError(`Cannot open "${path}": it must lie inside ${folder}`);
    return `${root}/${path}`;
  };
  return {
    name: folder,
    paths: paths.sort(),
    size: (path) => Deno.statSync(place(path)).size,
    read: (path) => Deno.readFileSync(place(path)),
    open: (path) => ({
      byteLength: Deno.statSync(place(path)).size,
      slice: (start, end) => readPart(place(path), start, end),
    }),
  };
}

function readPart(path: string, start: number, end = Deno.statSync(path).size): ArrayBuffer {
  using file = Deno.openSync(path);
  file.seekSync(start, Deno.SeekMode.Start);
  const part = new Uint8Array(Math.max(0, end - start));
  let at = 0;
  while (at < part.length) {
    const read = file.readSync(part.subarray(at));
    if (read === null) throw new Error("the file is shorter than its footer says");
    at += read;
  }
  return part.buffer;
}
