/**
 * Frames between this process and a simulator process, the same in both directions: the length of the header (uint32,
 * little endian), the header (one MessagePack map), then the raw bytes of the arrays that `header.arrays` lists as
 * [name, dtype, shape], in that order, row-major and little endian.
 */
import { decode, encode } from "@msgpack/msgpack";

/** An array as frames carry it: float32, float64 or bytes. */
export interface FrameArray {
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** Elements, row-major. */
  readonly data: Float32Array | Float64Array | Uint8Array;
}

/** One message. */
export interface Frame {
  /** Its fields, without `arrays`. */
  readonly header: Readonly<Record<string, unknown>>;
  /** Its arrays by name. Each owns its memory. */
  readonly arrays: Readonly<Record<string, FrameArray>>;
}

/** What the other side sent is no frame: it cannot be talked to any more. */
export class FrameError extends Error {
  /** "FrameError". */
  override name = "FrameError";
}

/** No header is longer: a longer one is something that was never meant as a frame. */
const longestHeader = 1 << 20;
/** No frame carries more: some 20 pictures of 1024 x 1024 pixels. */
const mostBytes = 1 << 26;

const elements = { f4: Float32Array, f8: Float64Array, u1: Uint8Array } as const;
type Dtype = keyof typeof elements;

const dtypeOf = ({ data }: FrameArray): Dtype =>
  data instanceof Float32Array ? "f4" : data instanceof Float64Array ? "f8" : "u1";

/** The bytes of a frame. */
export function encodeFrame(
  header: Readonly<Record<string, unknown>>,
  arrays: Readonly<Record<string, FrameArray>> = {},
): Uint8Array<ArrayBuffer> {
  const listed = Object.entries(arrays);
  const head = encode({ ...header, arrays: listed.map(([name, a]) => [name, dtypeOf(a), [...a.shape]]) });
  const size = listed.reduce((sum, [, { data }]) => sum + data.byteLength, 4 + head.length);
  const frame = new Uint8Array(size);
  new DataView(frame.buffer).setUint32(0, head.length, true);
  frame.set(head, 4);
  let offset = 4 + head.length;
  for (const [, { data }] of listed) {
    frame.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return frame;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** The header that was read while its arrays are still on their way. */
  #open: { header: Record<string, unknown>; listed: Listed[]; bytes: number } | undefined;

  /**
   * Takes the next bytes.
   *
   * @returns the frames that are complete now
   * @throws {FrameError} when the bytes are no frame
   */
  push(bytes: Uint8Array): Frame[] {
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    if (!this.#open) {
      if (this.#size < 4) return undefined;
      const length = new DataView(this.#joined().buffer).getUint32(0, true);
      if (length > longestHeader) {
        throw new FrameError(`a header of ${length} bytes: at most ${longestHeader} are frames`);
      }
      if (this.#size < 4 + length) return undefined;
      this.#open = readHeader(this.#take(4 + length).subarray(4));
    }
    if (this.#size < this.#open.bytes) return undefined;
    const { header, listed } = this.#open;
    this.#open = undefined;
    return {
      header,
      arrays: Object.fromEntries(listed.map(({ name, dtype, shape, bytes }) => {
        const Elements = elements[dtype];
        return [name, { shape, data: new Elements(this.#take(bytes).slice().buffer) }];
      })),
    };
  }

  /** All bytes at hand in one piece that owns its memory. */
  #joined(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.#size);
    let offset = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, offset);
      offset += chunk.length;
    }
    this.#chunks = [joined];
    return joined;
  }

  #take(count: number): Uint8Array {
    const joined = this.#joined();
    this.#chunks = [joined.subarray(count)];
    this.#size -= count;
    return joined.subarray(0, count);
  }
}

interface Listed {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: number;
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; listed: Listed[]; bytes: number } {
  let decoded: unknown;
  try {
    decoded = decode(bytes);
  } catch {
    throw new FrameError("a header that is no MessagePack");
  }
  if (typeof decoded !== "object" || decoded === null || Array.isArray(decoded)) {
    throw new FrameError("a header that is no map");
  }
  const { arrays = [], ...header } = decoded as Record<string, unknown>;
  if (!Array.isArray(arrays)) throw new FrameError("a header whose arrays are no list");
  const listed = arrays.map(readListed);
  const total = listed.reduce((sum, { bytes }) => sum + bytes, 0);
  if (!(total <= mostBytes)) {
    throw new FrameError(`arrays of ${total} bytes: at most ${mostBytes} are a frame`);
  }
  return { header, listed, bytes: total };
}

function readListed(entry: unknown): Listed {
  const [name, dtype, shape] = Array.isArray(entry) ? entry : [];
  if (typeof name !== "string" || !Object.hasOwn(elements, dtype) || !Array.isArray(shape)) {
    throw new FrameError("an array that is not listed as [name, dtype, shape]");
  }
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
    throw new FrameError(`an array ${name} of shape [${shape}]`);
  }
  const count = shape.reduce((product: number, extent: number) => product * extent, 1);
  const type = dtype as Dtype;
  return { name, dtype: type, shape, bytes: count * elements[type].BYTES_PER_ELEMENT };
}
