/** The thread of a `Launcher`: starts the updates it is told of, one after the other, and waits until the GPU is done. */
import { endCapture, openCudart, reasonOf, TO_DEVICE, TO_HOST } from "./cuda_runtime.ts";
import { openRuntime } from "./library.ts";

/** A copy that goes along with each update. */
export interface Copy {
  /** Address on the GPU. */
  readonly device: bigint;
  /** Address on the host of what belongs to the first update; that of the next follows it. */
  readonly host: bigint;
  /** Bytes of one update. */
  readonly bytes: number;
}

/** Updates to start. Pointers are addresses: this thread shares the process with whoever made what they point to. */
export interface Launches {
  /** Path of libonnxruntime, loaded already. */
  readonly library: string;
  /** The stream that everything happens on. */
  readonly stream: bigint;
  /** The session. */
  readonly session: bigint;
  /** Its bindings with the options of their runs; they take turns. */
  readonly ways: readonly { readonly options: bigint; readonly binding: bigint }[];
  /** Number of the binding that comes first. */
  readonly from: number;
  /** How many updates. */
  readonly count: number;
  /** What each takes from the host. */
  readonly batch: Copy;
  /** What each leaves there. */
  readonly metrics: Copy;
}

/** What the thread answers: nothing, or what went wrong. */
export interface Launched {
  /** Text of the error. */
  readonly error?: string;
}

const pointer = (address: bigint) => Deno.UnsafePointer.create(address)!;

function check(code: number): void {
  if (code !== 0) throw new Error(`CUDA failure ${code}: ${reasonOf(code)}`);
}

function launch({ library, stream, session, ways, from, count, batch, metrics }: Launches): void {
  const { api } = openRuntime(library), cudart = openCudart(), on = pointer(stream);
  const copy = (to: bigint, from: bigint, bytes: number, kind: number) =>
    check(cudart.cudaMemcpyAsync(to, from, BigInt(bytes), kind, on));
  try {
    check(cudart.cudaSetDevice(0));
    for (let i = 0; i < count; i++) {
      const { options, binding } = ways[(from + i) % ways.length]!;
      copy(batch.device, batch.host + BigInt(i * batch.bytes), batch.bytes, TO_DEVICE);
      api.call("RunWithBinding", pointer(session), pointer(options), pointer(binding));
      copy(metrics.host + BigInt(i * metrics.bytes), metrics.device, metrics.bytes, TO_HOST);
    }
    check(cudart.cudaStreamSynchronize(on));
  } catch (thrown) {
    endCapture(on);
    throw thrown;
  }
}

const thread = globalThis as unknown as Pick<Worker, "postMessage" | "onmessage">;
thread.onmessage = ({ data }: MessageEvent<Launches>) => {
  let answer: Launched = {};
  try {
    launch(data);
  } catch (thrown) {
    answer = { error: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  thread.postMessage(answer);
};
