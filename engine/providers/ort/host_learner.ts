/**
 * A learner on the CPU whose updates leave the calling thread free. What an update reads and writes lies in memory of the
 * process, not of the thread: a worker that is ended in mid-update takes its arrays with it, and the update goes on.
 */
import { openSession } from "./host.ts";
import { copiedWhenRead, filled, Layout, type Place, under } from "./layout.ts";
import type { Runtime } from "./library.ts";
import { Binding, type OrtSession } from "./session.ts";
import type { Carrier, LoadOptions } from "../provider.ts";
import type { Program } from "../../program.ts";
import type { Shapes } from "../../trace.ts";
import { ndarray, type Tensors } from "../../../ndarray.ts";

/** Loads an update program on the CPU: its state lies in two places, and each call reads one and writes the other. */
export function carry(program: Program, state: Tensors, options: LoadOptions): Carrier {
  return new HostState(program, state, options);
}

/** Arrays in a block of the process's memory. */
interface Arrays {
  readonly layout: Layout;
  /** Where the block begins. */
  readonly address: bigint;
  /** What lies there. */
  readonly buffer: ArrayBuffer;
}

/** The batches and metrics of calls of K updates. */
interface Room extends Disposable {
  /** K. */
  readonly updates: number;
  readonly batch: Arrays;
  readonly metrics: Arrays;
}

class HostState implements Carrier {
  readonly #program: Program;
  readonly #runtime: Runtime;
  readonly #session: OrtSession;
  readonly #owned: DisposableStack;
  readonly #states: readonly [Arrays, Arrays];
  readonly #bindings: readonly [Binding, Binding];
  #room: Room | undefined;
  #now: 0 | 1 = 0;
  #read: Tensors | undefined;

  constructor(program: Program, state: Tensors, options: LoadOptions) {
    this.#program = program;
    // What fails half way leaves nothing behind; bindings go before the session, and what is bound goes last.
    using made = new DisposableStack();
    const { runtime, session } = openSession(program, options);
    [this.#runtime, this.#session] = [runtime, session];
    made.defer(() => this.#room?.[Symbol.dispose]());
    const layout = new Layout(under(program.inputs, "state/"));
    this.#states = [allocate(runtime, layout, made), allocate(runtime, layout, made)];
    made.use(session);
    layout.write(this.#states[0].buffer, state);
    this.#bindings = [made.use(new Binding(session)), made.use(new Binding(session))];
    for (const from of [0, 1] as const) {
      this.#bind(from, "input", "state/", this.#states[from]);
      this.#bind(from, "output", "state/", this.#states[1 - from]!);
    }
    this.#owned = made.move();
  }

  #bind(direction: 0 | 1, port: "input" | "output", prefix: string, { layout, address }: Arrays): void {
    const [shapes, ports] = port === "input"
      ? [this.#program.inputs, this.#session.inputs]
      : [this.#program.outputs, this.#session.outputs];
    Object.keys(shapes).forEach((name, i) => {
      if (!name.startsWith(prefix)) return;
      const { offset, shape } = layout.places.get(name.slice(prefix.length))!;
      const place = Deno.UnsafePointer.create(address + BigInt(offset))!;
      this.#bindings[direction].bind(port, ports[i]!, { info: this.#runtime.host, address: place }, shape);
    });
  }

  get state(): Tensors {
    if (this.#read) return this.#read;
    const state = this.#states[this.#now];
    const copy = ({ offset, bytes, shape }: Place) =>
      ndarray(shape, new Float32Array(state.buffer, offset, bytes / 4).slice());
    const record: Tensors = copiedWhenRead(state.layout, copy, () => this.#read === record);
    return this.#read = record;
  }

  async update(batches: Tensors): Promise<Tensors> {
    const { batch, metrics } = this.#roomFor(Object.values(batches)[0]!.shape[0]!);
    batch.layout.write(batch.buffer, batches);
    this.#read = undefined;
    await this.#bindings[this.#now].runNonBlocking();
    this.#now = this.#now === 0 ? 1 : 0;
    return metrics.layout.read(metrics.buffer);
  }

  #roomFor(updates: number): Room {
    if (this.#room?.updates === updates) return this.#room;
    using made = new DisposableStack();
    const arrays = (shapes: Shapes, prefix: string) =>
      allocate(this.#runtime, new Layout(filled(under(shapes, prefix), updates)), made);
    const batch = arrays(this.#program.inputs, "batch/");
    const metrics = arrays(this.#program.outputs, "metrics/");
    for (const direction of [0, 1] as const) {
      this.#bind(direction, "input", "batch/", batch);
      this.#bind(direction, "output", "metrics/", metrics);
    }
    this.#room?.[Symbol.dispose]();
    const owned = made.move();
    return this.#room = { updates, batch, metrics, [Symbol.dispose]: () => owned.dispose() };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#read = undefined;
    this.#owned.dispose();
    return Promise.resolve();
  }
}

function allocate({ api }: Runtime, layout: Layout, owner: DisposableStack): Arrays {
  const allocator = api.make("GetAllocatorWithDefaultOptions");
  const pointer = api.make("AllocatorAlloc", allocator, BigInt(layout.bytes));
  owner.defer(() => api.call("AllocatorFree", allocator, pointer));
  const buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, layout.bytes);
  return { layout, address: Deno.UnsafePointer.value(pointer), buffer };
}
