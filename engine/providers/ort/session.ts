/** Sessions of ONNX Runtime's C API, with inputs and outputs bound to memory that its user owns. */
import { type OrtApi, type Pointer, text } from "./api.ts";

/** ONNX's number of float32. */
const FLOAT = 1;
/** ORT_ENABLE_EXTENDED. */
const EXTENDED = 2;
/** ORT_LOGGING_LEVEL_FATAL: what goes wrong comes as an error, once. */
const FATAL = 4;

/** An address with the memory object that must outlive its use. */
export interface Memory {
  /** OrtMemoryInfo of the device it is on. */
  readonly info: Pointer;
  /** Where it begins. */
  readonly address: Pointer;
}

/** A session and what it was made with. */
export class OrtSession implements Disposable {
  /** The library. */
  readonly api: OrtApi;
  /** The session. */
  readonly pointer: Pointer;
  /** Names of the model's inputs, in order. */
  readonly inputs: readonly string[];
  /** Names of its outputs, in order. */
  readonly outputs: readonly string[];

  /**
   * Loads a model.
   *
   * @param configure adds a device to the session's options
   * @throws {Error} with ONNX Runtime's text
   */
  constructor(
    api: OrtApi,
    env: Pointer,
    onnx: Uint8Array,
    { threads, ports, entries = {}, configure = () => {} }: {
      readonly threads: number;
      readonly ports: { readonly inputs: number; readonly outputs: number };
      readonly entries?: Readonly<Record<string, string>>;
      readonly configure?: (options: Pointer) => void;
    },
  ) {
    this.api = api;
    const options = api.make("CreateSessionOptions");
    try {
      api.call("SetSessionLogSeverityLevel", options, FATAL);
      api.call("SetIntraOpNumThreads", options, threads);
      api.call("SetInterOpNumThreads", options, 1);
      // NOTE: as the other providers: "basic" gives other bits.
      api.call("SetSessionGraphOptimizationLevel", options, EXTENDED);
      for (const [name, value] of Object.entries(entries)) {
        api.call("AddSessionConfigEntry", options, text(name), text(value));
      }
      configure(options);
      const model = onnx as Uint8Array<ArrayBuffer>;
      this.pointer = api.make("CreateSessionFromArray", env, model, BigInt(model.length), options);
    } finally {
      api.release("SessionOptions", options);
    }
    try {
      const names = (f: "SessionGetInputName" | "SessionGetOutputName", count: number) =>
        Array.from({ length: count }, (_, i) => this.#name(f, i));
      this.inputs = names("SessionGetInputName", ports.inputs);
      this.outputs = names("SessionGetOutputName", ports.outputs);
    } catch (thrown) {
      this[Symbol.dispose]();
      throw thrown;
    }
  }

  #name(f: "SessionGetInputName" | "SessionGetOutputName", place: number): string {
    const allocator = this.api.make("GetAllocatorWithDefaultOptions");
    const name = this.api.make(f, this.pointer, BigInt(place), allocator);
    const read = Deno.UnsafePointerView.getCString(name);
    this.api.call("AllocatorFree", allocator, name);
    return read;
  }

  /** Frees the session; bindings of it must be gone. */
  [Symbol.dispose](): void {
    this.api.release("Session", this.pointer);
  }
}

/** Where extents are handed over: ONNX Runtime copies them at once. */
const extents = new BigInt64Array(16);

/** Inputs and outputs of a session, bound to memory once or anew for each run. */
export class Binding implements Disposable {
  readonly #session: OrtSession;
  readonly #owned: DisposableStack;
  readonly #pointer: Pointer;
  readonly #values = new Map<string, Pointer>();
  readonly #options: Pointer;

  /** Opens an empty binding; `entries` are settings of its runs. */
  constructor(session: OrtSession, entries: Readonly<Record<string, string>> = {}) {
    this.#session = session;
    const { api } = session;
    using made = new DisposableStack();
    made.defer(() => this.#values.forEach((value) => api.release("Value", value)));
    const own = (kind: "IoBinding" | "RunOptions", pointer: Pointer) =>
      made.adopt(pointer, (pointer) => api.release(kind, pointer));
    this.#options = own("RunOptions", api.make("CreateRunOptions"));
    this.#pointer = own("IoBinding", api.make("CreateIoBinding", session.pointer));
    for (const [name, value] of Object.entries(entries)) {
      api.call("AddRunConfigEntry", this.#options, text(name), text(value));
    }
    this.#owned = made.move();
  }

  /** Binds an input or output of the model to memory that must stay until it is bound anew or the binding is gone. */
  bind(port: "input" | "output", name: string, { info, address }: Memory, shape: readonly number[]): void {
    const { api } = this.#session;
    let bytes = 4;
    shape.forEach((extent, i) => {
      extents[i] = BigInt(extent);
      bytes *= extent;
    });
    const value = api.make(
      "CreateTensorWithDataAsOrtValue",
      info,
      address,
      BigInt(bytes),
      extents,
      BigInt(shape.length),
      FLOAT,
    );
    try {
      api.call(port === "input" ? "BindInput" : "BindOutput", this.#pointer, text(name), value);
    } catch (thrown) {
      api.release("Value", value);
      throw thrown;
    }
    const old = this.#values.get(`${port}/${name}`);
    this.#values.set(`${port}/${name}`, value);
    if (old) api.release("Value", old);
  }

  /** What a run is called with, for a thread that calls it by itself: addresses of the options and of this. */
  get addresses(): { readonly options: bigint; readonly binding: bigint } {
    const { value } = Deno.UnsafePointer;
    return { options: value(this.#options), binding: value(this.#pointer) };
  }

  /** One run on this thread; on a GPU it may still go on when this returns. */
  run(): void {
    this.#session.api.call("RunWithBinding", this.#session.pointer, this.#options, this.#pointer);
  }

  /** One run on another thread. Nothing bound may be touched until it is done. */
  async runNonBlocking(): Promise<void> {
    await this.#session.api.runNonBlocking(this.#session.pointer, this.#options, this.#pointer);
  }

  /** Frees the binding, not the memory it is bound to. */
  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}
