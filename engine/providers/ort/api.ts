/**
 * ONNX Runtime's C API by Deno FFI: a table of functions whose order only ever grows at its end (onnxruntime_c_api.h;
 * the places are those of the crate `ort-sys` 2.0.0-rc.15, which generates them from that header).
 */

/** A pointer of the library. */
export type Pointer = Deno.PointerObject;

/** Version of the table that is asked for: that of ONNX Runtime 1.22, which all later ones serve. */
const API_VERSION = 22;

type Form = readonly [place: number, ...parameters: Deno.NativeType[]];

/** Functions that return an OrtStatus, null when all is well. */
const calls = {
  CreateEnv: [3, "i32", "buffer", "buffer"],
  CreateSessionFromArray: [8, "pointer", "buffer", "usize", "pointer", "buffer"],
  CreateSessionOptions: [10, "buffer"],
  SetSessionLogSeverityLevel: [22, "pointer", "i32"],
  SetSessionGraphOptimizationLevel: [23, "pointer", "i32"],
  SetIntraOpNumThreads: [24, "pointer", "i32"],
  SetInterOpNumThreads: [25, "pointer", "i32"],
  SessionGetInputName: [36, "pointer", "usize", "pointer", "buffer"],
  SessionGetOutputName: [37, "pointer", "usize", "pointer", "buffer"],
  CreateRunOptions: [39, "buffer"],
  CreateTensorWithDataAsOrtValue: [49, "pointer", "pointer", "usize", "buffer", "usize", "i32", "buffer"],
  CreateMemoryInfo: [68, "buffer", "i32", "i32", "i32", "buffer"],
  AllocatorAlloc: [75, "pointer", "usize", "buffer"],
  AllocatorFree: [76, "pointer", "pointer"],
  GetAllocatorWithDefaultOptions: [78, "buffer"],
  AddSessionConfigEntry: [130, "pointer", "buffer", "buffer"],
  RunWithBinding: [133, "pointer", "pointer", "pointer"],
  CreateIoBinding: [134, "pointer", "buffer"],
  BindInput: [136, "pointer", "buffer", "pointer"],
  BindOutput: [137, "pointer", "buffer", "pointer"],
  AddRunConfigEntry: [165, "pointer", "buffer", "buffer"],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, "pointer", "pointer"],
  CreateCUDAProviderOptions: [205, "buffer"],
  UpdateCUDAProviderOptions: [206, "pointer", "buffer", "buffer", "usize"],
  UpdateCUDAProviderOptionsWithValue: [263, "pointer", "buffer", "pointer"],
  SetDeterministicCompute: [273, "pointer", "bool"],
} satisfies Record<string, Form>;

/** Functions that free what others made. */
const releases = {
  IoBinding: 135,
  Env: 92,
  Status: 93,
  MemoryInfo: 94,
  Session: 95,
  Value: 96,
  RunOptions: 97,
  SessionOptions: 100,
  CUDAProviderOptions: 208,
} as const;

const ERROR_MESSAGE = 2;

type Argument = bigint | number | boolean | Pointer | null | BufferSource;
type Status = Deno.UnsafeFnPointer<{ parameters: Deno.NativeType[]; result: "pointer" }>;
type NonBlocking = Deno.UnsafeFnPointer<
  { parameters: Deno.NativeType[]; result: "pointer"; nonblocking: true }
>;

/** A zero-terminated text. */
export function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

/** The table of one loaded library. */
export class OrtApi {
  /** ONNX Runtime's version, e.g. "1.30.0". */
  readonly version: string;
  // One place for all pointers: an array for each is memory that V8 has to sweep, thousands in a session.
  readonly #made = new BigUint64Array(1);
  readonly #table: Deno.UnsafePointerView;
  readonly #calls = new Map<string, Status>();
  readonly #releases = new Map<string, Deno.UnsafeFnPointer<{ parameters: ["pointer"]; result: "void" }>>();
  readonly #nonBlocking: NonBlocking;
  readonly #message: Deno.UnsafeFnPointer<{ parameters: ["pointer"]; result: "pointer" }>;

  /**
   * Reads the table of a library.
   *
   * @param base what its `OrtGetApiBase` returned
   * @throws {Error} when it is older than ONNX Runtime 1.22
   */
  constructor(base: Pointer) {
    const [getApi, getVersion] = [0, 8].map((offset) => new Deno.UnsafePointerView(base).getPointer(offset)!);
    const version = new Deno.UnsafeFnPointer(getVersion as Deno.PointerObject<never>, {
      parameters: [],
      result: "pointer",
    }).call();
    this.version = Deno.UnsafePointerView.getCString(version!);
    const table = new Deno.UnsafeFnPointer(getApi as Deno.PointerObject<never>, {
      parameters: ["u32"],
      result: "pointer",
    }).call(
      API_VERSION,
    );
    if (!table) {
      throw new Error(`Cannot use ONNX Runtime ${this.version}: it must be 1.${API_VERSION} or newer`);
    }
    this.#table = new Deno.UnsafePointerView(table);
    this.#message = new Deno.UnsafeFnPointer(this.#entry(ERROR_MESSAGE), {
      parameters: ["pointer"],
      result: "pointer",
    });
    const [place, ...parameters] = calls.RunWithBinding;
    this.#nonBlocking = new Deno.UnsafeFnPointer(this.#entry(place), {
      parameters: parameters as Deno.NativeType[],
      result: "pointer",
      nonblocking: true,
    });
  }

  #entry(place: number): Deno.PointerObject<never> {
    return this.#table.getPointer(place * 8) as Deno.PointerObject<never>;
  }

  /**
   * Calls a function.
   *
   * @throws {Error} with ONNX Runtime's own text
   */
  call(name: keyof typeof calls, ...given: Argument[]): void {
    let f = this.#calls.get(name);
    if (!f) {
      const [place, ...parameters] = calls[name] as unknown as [number, ...Deno.NativeType[]];
      f = new Deno.UnsafeFnPointer(this.#entry(place), { parameters, result: "pointer" });
      this.#calls.set(name, f);
    }
    this.#check((f.call as (...given: unknown[]) => Pointer | null)(...given));
  }

  /** RunWithBinding on another thread: this one stays free. Nothing that is bound may be touched meanwhile. */
  async runNonBlocking(...given: Argument[]): Promise<void> {
    this.#check(await (this.#nonBlocking.call as (...given: unknown[]) => Promise<Pointer | null>)(...given));
  }

  /** Calls a function whose last argument takes the pointer it makes. */
  make(name: keyof typeof calls, ...given: Argument[]): Pointer {
    this.call(name, ...given, this.#made);
    return Deno.UnsafePointer.create(this.#made[0]!)!;
  }

  /** Frees an object of a kind. */
  release(kind: keyof typeof releases, object: Pointer): void {
    let f = this.#releases.get(kind);
    if (!f) {
      f = new Deno.UnsafeFnPointer(this.#entry(releases[kind]), { parameters: ["pointer"], result: "void" });
      this.#releases.set(kind, f);
    }
    f.call(object);
  }

  #check(status: Pointer | null): void {
    if (!status) return;
    const message = Deno.UnsafePointerView.getCString(this.#message.call(status)!);
    this.release("Status", status);
    throw new Error(message);
  }
}
