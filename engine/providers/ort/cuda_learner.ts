/**
 * A learner whose state never leaves the GPU. It lies there twice: one captured graph computes an update from A to B, the
 * other from B to A. The batches of a call are packed by the host while the GPU computes those before them.
 */
import { join } from "node:path";
import { type Block, type Gpu, type HostBlock, openGpu } from "./cuda.ts";
import { Launcher } from "./cuda_launcher.ts";
import { folder, ONNXRUNTIME } from "./cuda_libraries.ts";
import { bind, type Bound, openSession } from "./cuda_session.ts";
import { copiedWhenRead, Layout, type Place, under } from "./layout.ts";
import type { Binding, OrtSession } from "./session.ts";
import type { Carrier, LoadOptions } from "../provider.ts";
import type { Program } from "../../program.ts";
import { ndarray, type Tensors } from "../../../ndarray.ts";

/** Batches that may wait for the GPU: more than the 20 of a call by default, so that the host never waits in one. */
const WAITING = 32;

/** Loads an update program and its first state on the GPU. */
export async function carry(
  program: Program,
  state: Tensors,
  { concurrent }: Pick<LoadOptions, "concurrent">,
): Promise<Carrier> {
  if (!program.step) {
    throw new Error("Cannot carry state on cuda: the program was not made by compileUpdate");
  }
  const step = program.step();
  const gpu = openGpu();
  return await gpu.exclusive(() => new DeviceState(gpu, step, state, concurrent));
}

class DeviceState implements Carrier {
  readonly #gpu: Gpu;
  readonly #owned: DisposableStack;
  readonly #layouts: Readonly<Record<"state" | "batch" | "metrics", Layout>>;
  readonly #states: readonly [Block, Block];
  readonly #batch: Block;
  readonly #metrics: Block;
  readonly #session: OrtSession;
  readonly #bindings: readonly [Binding, Binding];
  /** What starts the updates, where this thread is to stay free. */
  readonly #launcher: Launcher | undefined;
  readonly #waiting: HostBlock;
  #room = new DisposableStack();
  #measured: HostBlock;
  #now: 0 | 1 = 0;
  #read: Tensors | undefined;

  constructor(gpu: Gpu, step: Program, state: Tensors, concurrent: boolean) {
    this.#gpu = gpu;
    const layouts = {
      state: new Layout(under(step.inputs, "state/")),
      batch: new Layout(under(step.inputs, "batch/")),
      metrics: new Layout(under(step.outputs, "metrics/")),
    };
    this.#layouts = layouts;
    // What fails half way leaves nothing behind.
    using made = new DisposableStack();
    // All memory is there before anything is captured.
    const allocate = ({ bytes }: Layout) => gpu.allocate(bytes, made);
    this.#states = [allocate(layouts.state), allocate(layouts.state)];
    this.#batch = allocate(layouts.batch);
    this.#metrics = allocate(layouts.metrics);
    this.#waiting = gpu.allocateHost(WAITING * layouts.batch.bytes, made);
    made.defer(() => this.#room.dispose());
    this.#measured = gpu.allocateHost(WAITING * layouts.metrics.bytes, this.#room);
    this.#start(state);
    const session = this.#session = made.use(openSession(gpu, step));
    const stateAt = (i: 0 | 1): Bound => ({
      prefix: "state/",
      layout: layouts.state,
      block: this.#states[i],
    });
    const direction = (from: 0 | 1, to: 0 | 1) =>
      made.use(bind(gpu, session, step, {
        inputs: [stateAt(from), { prefix: "batch/", layout: layouts.batch, block: this.#batch }],
        outputs: [stateAt(to), { prefix: "metrics/", layout: layouts.metrics, block: this.#metrics }],
        graph: 1 + from,
      }));
    this.#bindings = [direction(0, 1), direction(1, 0)];
    this.#launcher = concurrent ? made.use(new Launcher()) : undefined;
    this.#owned = made.move();
  }

  #start(state: Tensors): void {
    using once = new DisposableStack();
    const { bytes } = this.#layouts.state;
    const first = this.#gpu.allocateHost(bytes, once);
    this.#layouts.state.write(first.buffer, state);
    this.#gpu.upload(this.#states[0].address, first.address, bytes);
    this.#gpu.finish();
  }

  get state(): Tensors {
    if (this.#read) return this.#read;
    const record: Tensors = copiedWhenRead(
      this.#layouts.state,
      (place) => this.#copied(place),
      () => this.#read === record,
    );
    return this.#read = record;
  }

  #copied({ offset, shape }: Place): Tensors[string] {
    const value = ndarray(shape);
    const address = Deno.UnsafePointer.value(
      Deno.UnsafePointer.of(value.data as Float32Array<ArrayBuffer>),
    );
    this.#gpu.download(address, this.#states[this.#now].address + BigInt(offset), value.data.byteLength);
    this.#gpu.finish();
    return value;
  }

  update(batches: Tensors): Promise<Tensors> {
    return this.#gpu.exclusive(async () => {
      const { metrics } = this.#layouts;
      const count = Object.values(batches)[0]!.shape[0]!;
      this.#makeRoom(count * metrics.bytes);
      this.#read = undefined;
      if (this.#launcher) await this.#launch(this.#launcher, batches, count);
      else await this.#run(batches, count);
      return this.#metricsOf(count);
    });
  }

  async #run(batches: Tensors, count: number): Promise<void> {
    const gpu = this.#gpu, { batch, metrics } = this.#layouts;
    for (let i = 0; i < count; i++) {
      const at = (i % WAITING) * batch.bytes;
      if (i > 0 && at === 0) await gpu.finished();
      batch.write(this.#waiting.buffer, batches, { at, part: i });
      gpu.upload(this.#batch.address, this.#waiting.address + BigInt(at), batch.bytes);
      this.#bindings[this.#now].run();
      this.#now = this.#now === 0 ? 1 : 0;
      const to = this.#measured.address + BigInt(i * metrics.bytes);
      gpu.download(to, this.#metrics.address, metrics.bytes);
    }
    await gpu.finished();
  }

  async #launch(launcher: Launcher, batches: Tensors, count: number): Promise<void> {
    const { batch, metrics } = this.#layouts, { value } = Deno.UnsafePointer;
    for (let first = 0; first < count; first += WAITING) {
      const part = Math.min(WAITING, count - first);
      for (let i = 0; i < part; i++) {
        batch.write(this.#waiting.buffer, batches, { at: i * batch.bytes, part: first + i });
      }
      const measured = this.#measured.address + BigInt(first * metrics.bytes);
      await launcher.launch({
        library: join(folder, ONNXRUNTIME),
        stream: value(this.#gpu.stream),
        session: value(this.#session.pointer),
        ways: this.#bindings.map(({ addresses }) => addresses),
        from: this.#now,
        count: part,
        batch: { device: this.#batch.address, host: this.#waiting.address, bytes: batch.bytes },
        metrics: { device: this.#metrics.address, host: measured, bytes: metrics.bytes },
      });
      if (part % 2 === 1) this.#now = this.#now === 0 ? 1 : 0;
    }
  }

  #metricsOf(count: number): Tensors {
    const { metrics } = this.#layouts;
    const results: Tensors = {};
    for (const [name, { shape, bytes, offset }] of metrics.places) {
      const values = ndarray([count, ...shape]);
      for (let i = 0; i < count; i++) {
        const one = new Float32Array(this.#measured.buffer, i * metrics.bytes + offset, bytes / 4);
        values.data.set(one, i * one.length);
      }
      results[name] = values;
    }
    return results;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#measured.bytes) return;
    const room = new DisposableStack();
    this.#measured = this.#gpu.allocateHost(bytes, room);
    this.#room.dispose();
    this.#room = room;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#gpu.exclusive(() => {
      this.#read = undefined; // what was not read of the state is gone
      this.#owned.dispose();
    });
  }
}
