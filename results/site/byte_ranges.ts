/** Objects over HTTP: their digest is their ETag, they never change, and any part of them can be asked for (RFC 9110). */
import type { Context } from "hono";
import type { Reader } from "./reader.ts";

/** First and last byte of a part. */
export interface Range {
  /** Number of the first byte. */
  readonly first: number;
  /** Number of the last byte, within the file. */
  readonly last: number;
}

/**
 * The one part a Range header asks for. Undefined where the whole is to be sent: no header, a form that RFC 9110 lets
 * a server ignore, or several parts.
 */
export function parseRange(header: string | undefined, size: number): Range | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") {
    const suffix = Number(match[2]);
    return suffix === 0 || size === 0
      ? "unsatisfiable"
      : { first: Math.max(0, size - suffix), last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== "" && Number(match[2]) < first) return undefined;
  return first >= size ? "unsatisfiable" : { first, last };
}

/** File name endings of the media types a store holds. */
const ENDINGS: Readonly<Record<string, string>> = {
  "application/vnd.safetensors": "safetensors",
  "application/vnd.apache.arrow.file": "arrow",
  "application/onnx": "onnx",
  "application/json": "json",
  "video/mp4": "mp4",
  "image/png": "png",
};

/** Sends an object, or a part of it, once its bytes were found equal to its digest. */
export async function sendObject(c: Context, digest: string, reader: Reader): Promise<Response> {
  const found = await reader.object(digest);
  if (found === "missing") return c.text(`Cannot find object ${digest.slice(0, 80)}\n`, 404);
  if (found === "damaged") {
    return c.text(`Cannot send object ${digest}: its bytes do not match, run exp fsck\n`, 410);
  }
  const hex = digest.slice("sha256:".length);
  const { path, size } = found;
  const etag = `"${hex}"`;
  const asked = c.req.query("type") ?? "";
  const type = Object.hasOwn(ENDINGS, asked) ? asked : "application/octet-stream";
  const shown = type.startsWith("video/") || type.startsWith("image/");
  const headers: Record<string, string> = {
    "ETag": etag,
    "Cache-Control": "private, max-age=31536000, immutable",
    "Accept-Ranges": "bytes",
    "Content-Type": type,
    // Whatever the bytes are, they are not a page of this site.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": shown
      ? "inline"
      : `attachment; filename="${hex.slice(0, 16)}.${ENDINGS[type] ?? "bin"}"`,
    "Repr-Digest": `sha-256=:${hexToBase64(hex)}:`,
  };
  if (matches(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers);
  const condition = c.req.header("if-range");
  const range = condition === undefined || condition === etag
    ? parseRange(c.req.header("range"), size)
    : undefined;
  if (range === "unsatisfiable") {
    return c.text(`Cannot send that part: the object has ${size} bytes\n`, 416, {
      "Content-Range": `bytes */${size}`,
      "ETag": etag,
    });
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  const length = last - first + 1;
  headers["Content-Length"] = String(length);
  if (range) headers["Content-Range"] = `bytes ${first}-${last}/${size}`;
  const status = range ? 206 : 200;
  if (c.req.method === "HEAD" || length === 0) return c.body(null, status, headers);
  return c.body(part(path, first, length), status, headers);
}

function matches(header: string | undefined, etag: string): boolean {
  return (header ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""))
    .some((each) => each === "*" || each === etag);
}

const CHUNK = 1 << 16;

/** Reads when the receiver takes: a slow one holds one chunk, not the file. */
function part(path: string, first: number, length: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let file: Deno.FsFile | undefined;
  let left = length;
  return new ReadableStream({
    async start() {
      file = await Deno.open(path);
      await file.seek(first, Deno.SeekMode.Start);
    },
    async pull(controller) {
      const buffer = new Uint8Array(Math.min(CHUNK, left));
      const n = await file!.read(buffer);
      if (n === null) throw new Error("Cannot read on: the file became shorter");
      controller.enqueue(buffer.subarray(0, n));
      left -= n;
      if (left > 0) return;
      file!.close();
      controller.close();
    },
    cancel() {
      file?.close();
    },
  }, { highWaterMark: 0 });
}

function hexToBase64(hex: string): string {
  return btoa(String.fromCharCode(...hex.match(/../g)!.map((byte) => parseInt(byte, 16))));
}
