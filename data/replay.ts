/**
 * A replay buffer: a ring of preallocated columns of float32, or of bytes for images. Half-and-half sampling is done
 * with two of them.
 */
import { type Elements, type NDArray, ndarray, size, type Tensors } from "../ndarray.ts";
import type { Stream } from "../random.ts";

/** Row shape of each column: [] for a number, [D] for a vector. */
export type RowShapes = Readonly<Record<string, readonly number[]>>;

/** What a replay holds besides float32 columns. */
export interface ReplayOptions {
  /** Columns whose numbers are integers 0 ... 255, such as images: they are stored in a quarter of the memory. */
  readonly bytes?: readonly string[];
}

/** A column's rows as they are stored. */
export type Rows = NDArray<Float32Array | Uint8Array>;

interface Column {
  readonly inner: readonly number[];
  readonly width: number;
  readonly data: Float32Array | Uint8Array;
}

/** Rows from this width on are copied as a whole: below, a loop is faster than a view. */
const WIDE = 64;

/** Counters are stored as two float32 digits of base 2^24, each exact. */
const DIGIT = 2 ** 24;

/** The newest `capacity` rows that were added. */
export class Replay {
  /** Rows held at most; the oldest give way. */
  readonly capacity: number;
  readonly #columns: ReadonlyMap<string, Column>;
  #added = 0;
  #indices = new Int32Array(0);

  /**
   * An empty buffer; all its memory is taken at once.
   *
   * @throws {RangeError} when the capacity is not a positive integer, there is no column, or bytes name an unknown one
   */
  constructor(capacity: number, columns: RowShapes, { bytes = [] }: ReplayOptions = {}) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(
        `Cannot make a replay of ${capacity} rows: the capacity must be a positive integer`,
      );
    }
    if (Object.keys(columns).length === 0) {
      throw new RangeError("Cannot make a replay without columns: give at least one");
    }
    this.capacity = capacity;
    this.#columns = new Map(
      Object.entries(columns).map(([name, inner]) => {
        const kind = bytes.includes(name) ? Uint8Array : Float32Array;
        return [name, { inner: [...inner], width: size(inner), data: new kind(capacity * size(inner)) }];
      }),
    );
    for (const name of bytes) this.#column(name, "store bytes of");
  }

  /** Rows held, 0 ... capacity. */
  get size(): number {
    return Math.min(this.#added, this.capacity);
  }

  /** Rows ever added; the next one goes to slot `added % capacity`. */
  get added(): number {
    return this.#added;
  }

  /**
   * Adds one row, over the oldest one when the ring is full.
   *
   * @throws {RangeError} when a column is missing, unknown, of another width, not finite, or not of bytes where bytes
   * are stored; the ring is unchanged
   */
  add(row: Readonly<Record<string, ArrayLike<number>>>): void {
    for (const name in row) this.#column(name, "add");
    for (const [name, { width, data }] of this.#columns) {
      const values = row[name];
      if (values?.length !== width) {
        throw new RangeError(`Cannot add ${values?.length ?? "no"} numbers as "${name}": a row has ${width}`);
      }
      if (data instanceof Uint8Array) {
        assertBytes(name, values);
        continue;
      }
      for (let i = 0; i < width; i++) {
        if (!Number.isFinite(Math.fround(values[i]!))) {
          throw new RangeError(`Cannot add ${values[i]} as "${name}"[${i}]: it must be a finite float32`);
        }
      }
    }
    const slot = this.#added % this.capacity;
    for (const [name, { width, data }] of this.#columns) data.set(row[name]!, slot * width);
    this.#added++;
  }

  /**
   * Copies the rows at `indices` (slots, 0 ... size - 1) to rows `offset`, `offset + 1`, ... of the columns in `out`;
   * bytes become float32 numbers 0 ... 255.
   * Leading axes of `out` count as one: an array [K, 256, D] has 256 K rows. Columns absent from `out` are left out.
   *
   * @throws {RangeError} when `out` names an unknown column or has too few rows, or an index holds no row
   */
  gather(indices: ArrayLike<number>, out: Tensors, offset = 0): void {
    const count = indices.length;
    const held = this.size;
    for (let i = 0; i < count; i++) {
      const index = indices[i]!;
      if (!(index >= 0 && index < held)) {
        throw new RangeError(`Cannot gather row ${index}: the replay holds ${held}`);
      }
    }
    for (const name in out) {
      const { width, data } = this.#column(name, "gather");
      const target = out[name]!.data;
      if (!Number.isInteger(offset) || offset < 0 || (offset + count) * width > target.length) {
        throw new RangeError(
          `Cannot gather ${count} rows of "${name}" at row ${offset}: the target [${out[name]!.shape}] has ` +
            `${target.length / width} rows`,
        );
      }
      let to = offset * width;
      for (let i = 0; i < count; i++) {
        if (width >= WIDE) {
          target.set(data.subarray(indices[i]! * width, (indices[i]! + 1) * width), to);
          to += width;
          continue;
        }
        const from = indices[i]! * width;
        for (let j = 0; j < width; j++) target[to++] = data[from + j]!;
      }
    }
  }

  /**
   * Gathers `count` rows drawn uniformly with replacement, one block of `stream` each, the same rows for every column.
   *
   * @throws {RangeError} when the replay is empty, or as gather
   */
  sample(stream: Stream, out: Tensors, offset: number, count: number): void {
    const held = this.size;
    if (held === 0) throw new RangeError(`Cannot sample ${count} rows: the replay is empty`);
    if (this.#indices.length !== count) this.#indices = new Int32Array(count);
    for (let i = 0; i < count; i++) this.#indices[i] = stream.integer(held);
    this.gather(this.#indices, out, offset);
  }

  /** Rows in the order of their slots as [size, ...] views of the ring: use them before the next add. */
  rows(): Record<string, Rows> {
    const held = this.size;
    return Object.fromEntries(
      [...this.#columns].map(([name, { inner, width, data }]): [string, Rows] => [
        name,
        { shape: [held, ...inner], data: data.subarray(0, held * width) },
      ]),
    );
  }

  /**
   * Everything the replay is, for a checkpoint: "PREFIXcolumn/NAME" [size, ...] and "PREFIXcounters" [2, 2], the
   * capacity and the rows ever added. The columns are views: encode them before the next add. Columns of bytes stay bytes.
   */
  toTensors(prefix = ""): Record<string, Rows> {
    const counters = [this.capacity, this.#added].flatMap((n) => [Math.floor(n / DIGIT), n % DIGIT]);
    const columns = Object.entries(this.rows()).map(([name, rows]) => [`${prefix}column/${name}`, rows]);
    return {
      ...Object.fromEntries(columns),
      [`${prefix}counters`]: ndarray([2, 2], Float32Array.from(counters)),
    };
  }

  /**
   * The replay that `toTensors(prefix)` described; tensors under other names are ignored.
   *
   * @throws {RangeError} when counters are missing or do not fit the columns
   */
  static fromTensors(tensors: Readonly<Record<string, NDArray<Elements>>>, prefix = ""): Replay {
    const counters = tensors[`${prefix}counters`]?.data;
    if (counters?.length !== 4) {
      throw new RangeError(`Cannot restore a replay: "${prefix}counters" must be a tensor [2, 2]`);
    }
    const head = `${prefix}column/`;
    const columns = Object.entries(tensors).filter(([name]) => name.startsWith(head));
    const replay = new Replay(
      counters[0]! * DIGIT + counters[1]!,
      Object.fromEntries(columns.map(([name, { shape }]) => [name.slice(head.length), shape.slice(1)])),
      {
        bytes: columns.filter(([, { data }]) => data instanceof Uint8Array)
          .map(([name]) => name.slice(head.length)),
      },
    );
    replay.#added = counters[2]! * DIGIT + counters[3]!;
    for (const [name, { shape, data }] of columns) {
      if (shape[0] !== replay.size) {
        throw new RangeError(
          `Cannot restore "${name}" with ${shape[0]} rows: the counters say ${replay.size}`,
        );
      }
      replay.#columns.get(name.slice(head.length))!.data.set(data);
    }
    return replay;
  }

  #column(name: string, action: string): Column {
    const column = this.#columns.get(name);
    if (column) return column;
    throw new RangeError(
      `Cannot ${action} "${name}": the replay holds ${[...this.#columns.keys()].join(", ")}`,
    );
  }
}

function assertBytes(name: string, values: ArrayLike<number>): void {
  if (values instanceof Uint8Array) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(Number.isInteger(value) && value >= 0 && value <= 255)) {
      throw new RangeError(`Cannot add ${value} as "${name}"[${i}]: it must be an integer 0 ... 255`);
    }
  }
}
