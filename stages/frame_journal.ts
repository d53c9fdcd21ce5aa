/**
 * Frames of a long stage on the disk, beside its checkpoints: a file that only grows, so that a checkpoint costs what was
 * seen since the last one, not the whole ring. The checkpoint holds how many frames count, and their digest.
 */
import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { frameBytes, Frames, type FrameStorage } from "../data/frames.ts";
import { type Elements, type NDArray, ndarray } from "../ndarray.ts";

/** Two float32 digits of this base count frames. */
const DIGIT = 2 ** 24;
/** Frames that are read back at once. */
const PIECE = 64;

/** The file of one ring of frames. */
export class FrameJournal implements Disposable {
  /** The ring. */
  readonly frames: Frames;
  readonly #file: Deno.FsFile;
  readonly #hash: Hash;
  #written: number;

  private constructor(frames: Frames, file: Deno.FsFile, hash: Hash, written: number) {
    this.frames = frames;
    this.#file = file;
    this.#hash = hash;
    this.#written = written;
  }

  /** A journal of a new ring, in a stage's scratch folder. */
  static start(folder: string, frames: Frames): FrameJournal {
    const file = Deno.openSync(join(folder, "frames"), { create: true, write: true, truncate: true });
    return new FrameJournal(frames, file, createHash("sha256"), 0);
  }

  /** Writes what was added since the last time; at the latest before the ring overwrites it. */
  write(): void {
    const { frames } = this;
    for (; this.#written < frames.added; this.#written++) {
      const bytes = frames.raw(this.#written);
      this.#hash.update(bytes);
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    }
  }

  /** What a checkpoint says of the frames, after they were written: "PREFIXframe-count" [2], "PREFIXframe-digest" [32]. */
  toTensors(prefix = ""): Record<string, NDArray<Float32Array | Uint8Array>> {
    this.write();
    this.#file.syncDataSync();
    const count = [Math.floor(this.#written / DIGIT), this.#written % DIGIT];
    const digest = new Uint8Array(this.#hash.copy().digest());
    return {
      [`${prefix}frame-count`]: ndarray([2], Float32Array.from(count)),
      [`${prefix}frame-digest`]: { shape: [digest.length], data: digest },
    };
  }

  /**
   * The journal that a checkpoint speaks of, and its ring as it was then.
   *
   * @throws {Error} when the file does not hold the checkpoint's frames
   */
  static resume(
    folder: string,
    tensors: Readonly<Record<string, NDArray<Elements>>>,
    { capacity, frame, storage, prefix = "" }: {
      capacity: number;
      frame: readonly number[];
      storage: FrameStorage;
      prefix?: string;
    },
  ): FrameJournal {
    const [high, low] = tensors[`${prefix}frame-count`]!.data as Float32Array;
    const count = high! * DIGIT + low!, each = frameBytes(frame, storage);
    const frames = Frames.continued(capacity, frame, storage, count);
    const file = Deno.openSync(join(folder, "frames"), { create: true, read: true, write: true });
    const hash = createHash("sha256"), piece = new Uint8Array(PIECE * each);
    for (let first = 0; first < count; first += PIECE) {
      const bytes = piece.subarray(0, Math.min(PIECE, count - first) * each);
      for (let at = 0; at < bytes.length;) {
        const read = file.readSync(bytes.subarray(at));
        if (read === null) break;
        at += read;
      }
      hash.update(bytes);
      for (let i = 0; i < bytes.length / each; i++) {
        if (frames.holds(first + i)) frames.raw(first + i).set(bytes.subarray(i * each, (i + 1) * each));
      }
    }
    const digest = new Uint8Array(hash.copy().digest()), wanted = tensors[`${prefix}frame-digest`]!.data;
    if (String(digest) !== String(wanted)) {
      file.close();
      throw new Error(
        `Cannot resume from ${count} frames in ${folder}: they are not those of the checkpoint; remove it to start again`,
      );
    }
    // What a killed attempt wrote after its last checkpoint is seen again.
    file.truncateSync(count * each);
    return new FrameJournal(frames, file, hash, count);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}
