/**
 * Counter-based random streams: Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy
 * as 1, 2, 3"). A stream is a key and a counter, so it can be named, stored in a checkpoint, and continued to the
 * same bits on any machine.
 */
import { createHash } from "node:crypto";

const PARITY = 0x1BD11BDA;

/**
 * The Threefry-2x32-20 block function: two 32-bit words for a key and a counter, written to `out`.
 *
 * NOTE: unrolled, since most of the time of drawing noise is spent here: each line is one of the 20 rounds (add, rotate,
 * xor), each fourth is followed by the injection of the key schedule.
 */
export function threefry2x32(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
  out: Uint32Array,
): void {
  const key2 = PARITY ^ key0 ^ key1;
  let x0 = (counter0 + key0) | 0, x1 = (counter1 + key1) | 0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + key1) | 0, x1 = (x1 + key2 + 1) | 0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
  x0 = (x0 + key2) | 0, x1 = (x1 + key0 + 2) | 0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + key0) | 0, x1 = (x1 + key1 + 3) | 0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
  x0 = (x0 + key1) | 0, x1 = (x1 + key2 + 4) | 0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0, x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + key2) | 0, x1 = (x1 + key0 + 5) | 0;
  out[0] = x0;
  out[1] = x1;
}

/**
 * One named stream. Every draw consumes whole 64-bit blocks, so `counter` alone tells where the stream stands:
 * `new Stream(s.key, s.counter)` continues as `s` would.
 */
export class Stream {
  /** The two 32-bit words that name the stream. */
  readonly key: readonly [number, number];
  /** Blocks consumed so far, 0 ... 2^53 - 1. */
  counter: number;
  readonly #block = new Uint32Array(2);
  readonly #pair = new Float64Array(2);

  /** The stream of `key`, where `counter` blocks have been consumed. */
  constructor(key: readonly [number, number], counter = 0) {
    this.key = key;
    this.counter = counter;
  }

  #next(): Uint32Array {
    threefry2x32(
      this.key[0],
      this.key[1],
      this.counter >>> 0,
      Math.floor(this.counter / 0x1_0000_0000),
      this.#block,
    );
    this.counter++;
    return this.#block;
  }

  /** A uniform number in [low, high), with 53 random bits. One block. */
  uniform(low = 0, high = 1): number {
    const block = this.#next();
    const unit = ((block[0]! >>> 5) * 0x400_0000 + (block[1]! >>> 6)) / 2 ** 53;
    return low + (high - low) * unit;
  }

  /**
   * Two independent standard normal numbers from one block, by Box and Muller: the radius from the first word, the angle
   * from the second. sin and cos are Taylor sums on an eighth of the circle, exact to 1e-13, since the library's cost
   * more than all the rest.
   */
  #normals(pair: Float64Array): void {
    const block = this.#next();
    const radius = Math.sqrt(-2 * Math.log((block[0]! + 0.5) / 2 ** 32));
    const word = block[1]!;
    const x = ((word & 0x3FFF_FFFF) - 0x2000_0000) * (Math.PI / 2 ** 31); // [-pi/4, pi/4)
    const y = x * x;
    const sine = radius * x *
      (1 - y / 6 * (1 - y / 20 * (1 - y / 42 * (1 - y / 72 * (1 - y / 110 * (1 - y / 156))))));
    const cosine = radius *
      (1 - y / 2 * (1 - y / 12 * (1 - y / 30 * (1 - y / 56 * (1 - y / 90 * (1 - y / 132 * (1 - y / 182)))))));
    const swap = word & 0x4000_0000, sign = word & 0x8000_0000 ? -1 : 1;
    pair[0] = sign * (swap ? -sine : cosine);
    pair[1] = sign * (swap ? cosine : sine);
  }

  /** A standard normal number. One block. */
  normal(): number {
    this.#normals(this.#pair);
    return this.#pair[0]!;
  }

  /**
   * A uniform integer in [0, bound). One block; the bias of the 53-bit product is below bound / 2^53.
   *
   * @throws {RangeError} when `bound` is not a positive integer
   */
  integer(bound: number): number {
    if (!Number.isSafeInteger(bound) || bound < 1) {
      throw new RangeError(`Cannot draw an integer below ${bound}: the bound must be a positive integer`);
    }
    return Math.floor(this.uniform() * bound);
  }

  /** Fills `out` with uniform numbers in [low, high), one block each. */
  fillUniform(out: Float32Array, low = 0, high = 1): Float32Array {
    for (let i = 0; i < out.length; i++) out[i] = this.uniform(low, high);
    return out;
  }

  /** Fills `out` with standard normal numbers, one block for two. */
  fillNormal(out: Float32Array): Float32Array {
    const pair = this.#pair;
    for (let i = 0; i < out.length; i += 2) {
      this.#normals(pair);
      out[i] = pair[0]!;
      if (i + 1 < out.length) out[i + 1] = pair[1]!;
    }
    return out;
  }

  /** A uniformly random order of 0 ... n - 1 (Fisher-Yates). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}

/**
 * The stream of a seed and a path of names, e.g. `stream(7, "episode", 12)`. Different paths give independent
 * streams: the key is the head of SHA-256 over the JSON text of the path.
 *
 * @throws {RangeError} when `seed` is not a non-negative safe integer
 */
export function stream(seed: number, ...path: readonly (string | number)[]): Stream {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`Cannot open a random stream with seed ${seed}: it must be a non-negative integer`);
  }
  const digest = createHash("sha256").update(JSON.stringify([seed, ...path])).digest();
  return new Stream([digest.readUInt32LE(0), digest.readUInt32LE(4)]);
}
