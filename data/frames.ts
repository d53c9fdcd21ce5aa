/**
 * A ring of frames, what cameras showed, each stored once: bytes of pictures, or half-precision features. Transitions
 * name their frames by number, so that what one led to is not stored again as what the next began with.
 */
import { size } from "../ndarray.ts";

/** How the numbers of a frame are stored: integers 0 ... 255, or IEEE half precision. */
export type FrameStorage = "bytes" | "halves";

/** Bytes of one frame. */
export function frameBytes(shape: readonly number[], storage: FrameStorage): number {
  return size(shape) * (storage === "bytes" ? 1 : 2);
}

/** Numbers of frames stand beside their transitions as float32, exact below this. */
const LAST = 2 ** 24;

/** Every half-precision number as a float, by its bits: four times as fast as to convert one by one. */
const floats = new Float32Array(new Float16Array(Uint16Array.from({ length: 1 << 16 }, (_, i) => i).buffer));

/** The newest `capacity` frames that were added. */
export class Frames {
  /** Frames held at most; the oldest give way. */
  readonly capacity: number;
  /** Extents of a frame. */
  readonly shape: readonly number[];
  /** How frames are stored. */
  readonly storage: FrameStorage;
  readonly #width: number;
  readonly #data: Uint8Array | Uint16Array;
  #added = 0;

  /**
   * An empty ring; its memory is taken as it fills.
   *
   * @throws {RangeError} when the capacity is not a positive integer, or there is no memory for so many frames
   */
  constructor(capacity: number, shape: readonly number[], storage: FrameStorage) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot keep ${capacity} frames: the capacity must be a positive integer`);
    }
    this.capacity = capacity;
    this.shape = [...shape];
    this.storage = storage;
    this.#width = size(shape);
    try {
      this.#data = new (storage === "bytes" ? Uint8Array : Uint16Array)(capacity * this.#width);
    } catch (cause) {
      throw new RangeError(
        `Cannot keep ${capacity} frames of [${shape}]: their ${this.bytes} bytes cannot be had`,
        { cause },
      );
    }
  }

  /** Bytes of the whole ring. */
  get bytes(): number {
    return this.capacity * frameBytes(this.shape, this.storage);
  }

  /** Frames ever added; the number of the next one. */
  get added(): number {
    return this.#added;
  }

  /** Whether frame `id` was added and is not yet overwritten. */
  holds(id: number): boolean {
    return id >= 0 && id < this.#added && id >= this.#added - this.capacity;
  }

  /** The number of one more frame; its content is what the slot held until `write`. */
  reserve(): number {
    if (this.#added >= LAST) throw new RangeError(`Cannot add frame ${LAST}: numbers end there`);
    return this.#added++;
  }

  /**
   * Gives a reserved frame its content.
   *
   * @throws {RangeError} when the frame is not held, has another size, or a number that cannot be stored
   */
  write(id: number, frame: ArrayLike<number>): void {
    if (!this.holds(id)) throw new RangeError(`Cannot write frame ${id}: the ring does not hold it`);
    if (frame.length !== this.#width) {
      throw new RangeError(
        `Cannot write frame ${id} of ${frame.length} numbers: a frame [${this.shape}] has ${this.#width}`,
      );
    }
    if (!(this.#data instanceof Uint8Array && frame instanceof Uint8Array)) this.#check(id, frame);
    const slot = (id % this.capacity) * this.#width;
    if (this.#data instanceof Uint8Array) this.#data.set(frame, slot);
    else new Float16Array(this.#data.buffer, 2 * slot, this.#width).set(frame);
  }

  #check(id: number, frame: ArrayLike<number>): void {
    const bytes = this.storage === "bytes";
    for (let i = 0; i < frame.length; i++) {
      const x = frame[i]!;
      if (bytes ? Number.isInteger(x) && x >= 0 && x <= 255 : Math.abs(x) < 65520) continue;
      const wanted = bytes ? "an integer 0 ... 255" : "within half precision, below 65520";
      throw new RangeError(`Cannot write ${x} into frame ${id}: it must be ${wanted}`);
    }
  }

  /**
   * Copies the frames `ids` as float32 to rows `offset`, `offset + 1`, ... of `out`.
   *
   * @throws {RangeError} when one is not held, or `out` has too few rows
   */
  gather(ids: ArrayLike<number>, out: Float32Array, offset = 0): void {
    const width = this.#width, data = this.#data;
    if ((offset + ids.length) * width > out.length) {
      throw new RangeError(
        `Cannot gather ${ids.length} frames at row ${offset}: the target has ${out.length / width} rows`,
      );
    }
    for (let row = 0; row < ids.length; row++) {
      const id = ids[row]!;
      if (!this.holds(id)) throw new RangeError(`Cannot gather frame ${id}: the ring does not hold it`);
      const from = (id % this.capacity) * width, to = (offset + row) * width;
      if (data instanceof Uint8Array) out.set(data.subarray(from, from + width), to);
      else for (let i = 0; i < width; i++) out[to + i] = floats[data[from + i]!]!;
    }
  }

  /** The stored bytes of frame `id`, a view: for whoever keeps frames elsewhere and brings them back. */
  raw(id: number): Uint8Array {
    if (!this.holds(id)) throw new RangeError(`Cannot read frame ${id}: the ring does not hold it`);
    const each = frameBytes(this.shape, this.storage);
    return new Uint8Array(this.#data.buffer, (id % this.capacity) * each, each);
  }

  /** A ring to which `added` frames were added once; whoever kept them brings back the content of those it holds. */
  static continued(
    capacity: number,
    shape: readonly number[],
    storage: FrameStorage,
    added: number,
  ): Frames {
    const frames = new Frames(capacity, shape, storage);
    frames.#added = added;
    return frames;
  }
}
