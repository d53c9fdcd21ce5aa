/** Where named float32 arrays lie in one block of memory, and records of them that are copied as they are read. */
import type { Shapes } from "../../trace.ts";
import { ndarray, size, type Tensors } from "../../../ndarray.ts";

/** Every array begins at a multiple of this many bytes, as allocators on a GPU have it. */
const ALIGNMENT = 256;

/** The place of one array. */
export interface Place {
  /** Bytes from the block's beginning. */
  readonly offset: number;
  /** Bytes it takes, without what follows up to the next. */
  readonly bytes: number;
  /** Its extents. */
  readonly shape: readonly number[];
}

/** The shapes whose names begin with `prefix`, by the rest of their names. */
export function under(shapes: Shapes, prefix: string): Shapes {
  const chosen = Object.entries(shapes).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(chosen.map(([name, shape]) => [name.slice(prefix.length), shape]));
}

/** Shapes with K in the place of -1. */
export function filled(shapes: Shapes, updates: number): Shapes {
  const extents = (shape: readonly number[]) => shape.map((extent) => extent === -1 ? updates : extent);
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, extents(shape)]));
}

/** The places of some arrays in one block. */
export class Layout {
  /** Places by name, in the order of the shapes. */
  readonly places: ReadonlyMap<string, Place>;
  /** Size of the block. */
  readonly bytes: number;

  /** Lays out arrays of the given shapes. */
  constructor(shapes: Shapes) {
    const places = new Map<string, Place>();
    let offset = 0;
    for (const [name, shape] of Object.entries(shapes)) {
      const bytes = 4 * size(shape);
      places.set(name, { offset, bytes, shape });
      offset += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    }
    this.places = places;
    this.bytes = Math.max(offset, ALIGNMENT);
  }

  /** Copies arrays to their places in `block`, from byte `at` on; of each the part number `part`, where they are batches. */
  write(block: ArrayBuffer, arrays: Tensors, { at = 0, part = 0 } = {}): void {
    for (const [name, { offset, bytes }] of this.places) {
      const count = bytes / 4;
      const source = arrays[name]!.data;
      const whole = source.length === count ? source : source.subarray(part * count, (part + 1) * count);
      new Float32Array(block, at + offset, count).set(whole);
    }
  }

  /** New arrays with what lies at their places in `block`, from byte `at` on. */
  read(block: ArrayBuffer, at = 0): Tensors {
    const arrays: Tensors = {};
    for (const [name, { offset, bytes, shape }] of this.places) {
      arrays[name] = ndarray(shape, new Float32Array(block, at + offset, bytes / 4).slice());
    }
    return arrays;
  }
}

/**
 * A record of the arrays of `layout` in which each is copied by `copy` when it is first read: acting beside a learner
 * reads a tenth of its state.
 *
 * @param current whether the block still holds what the record stands for
 */
export function copiedWhenRead(
  layout: Layout,
  copy: (place: Place) => Tensors[string],
  current: () => boolean,
): Tensors {
  const record: Tensors = {};
  for (const [name, place] of layout.places) {
    let value: Tensors[string] | undefined;
    const get = () => {
      if (value) return value;
      if (!current()) {
        throw new Error(`Cannot read "${name}" of a state before the last update: read it before updating`);
      }
      return value = copy(place);
    };
    Object.defineProperty(record, name, { get, enumerable: true });
  }
  return record;
}
