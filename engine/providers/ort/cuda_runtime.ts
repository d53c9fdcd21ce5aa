/** The functions of CUDA's runtime that are used here, and its numbers. */
import { join } from "node:path";
import { folder } from "./cuda_libraries.ts";

/** cudaMemcpyKind: to the GPU. */
export const TO_DEVICE = 1;
/** cudaMemcpyKind: from the GPU. */
export const TO_HOST = 2;

/** The functions of a loaded runtime. */
export type Cudart = ReturnType<typeof open>;

function open() {
  return Deno.dlopen(join(folder, "libcudart.so.13"), {
    cudaSetDevice: { parameters: ["i32"], result: "i32" },
    cudaMalloc: { parameters: ["buffer", "usize"], result: "i32" },
    cudaFree: { parameters: ["pointer"], result: "i32" },
    cudaHostAlloc: { parameters: ["buffer", "usize", "u32"], result: "i32" },
    cudaFreeHost: { parameters: ["pointer"], result: "i32" },
    cudaMemcpyAsync: { parameters: ["u64", "u64", "usize", "i32", "pointer"], result: "i32" },
    cudaStreamCreateWithFlags: { parameters: ["buffer", "u32"], result: "i32" },
    cudaStreamSynchronize: { parameters: ["pointer"], result: "i32" },
    finishNonBlocking: {
      name: "cudaStreamSynchronize",
      parameters: ["pointer"],
      result: "i32",
      nonblocking: true,
    },
    cudaStreamIsCapturing: { parameters: ["pointer", "buffer"], result: "i32" },
    cudaStreamEndCapture: { parameters: ["pointer", "buffer"], result: "i32" },
    cudaMemGetInfo: { parameters: ["buffer", "buffer"], result: "i32" },
    cudaGetErrorString: { parameters: ["i32"], result: "pointer" },
    cudaGetLastError: { parameters: [], result: "i32" },
  }).symbols;
}

let cudart: Cudart | undefined;

/** The runtime, opened at this thread's first call. The library must have been pinned before. */
export function openCudart(): Cudart {
  return cudart ??= open();
}

/** What a code that is not 0 means. */
export function reasonOf(code: number): string {
  return Deno.UnsafePointerView.getCString(openCudart().cudaGetErrorString(code)!);
}

/**
 * What fails while a graph is captured leaves the stream capturing: nothing could run on it any more. To be called on the
 * thread that captured.
 */
export function endCapture(stream: Deno.PointerObject): void {
  const { cudaStreamIsCapturing, cudaStreamEndCapture, cudaGetLastError } = openCudart();
  const capturing = new Int32Array(1);
  cudaStreamIsCapturing(stream, capturing);
  if (capturing[0] !== 0) cudaStreamEndCapture(stream, new BigUint64Array(1));
  cudaGetLastError(); // else it comes again with the next call
}
