import assert from "node:assert/strict";
import { exhausted, explained } from "./cuda_errors.ts";

const mib = 2 ** 20;
const place =
  "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 void onnxruntime::CudaCall() " +
  "[with ERRTYPE = cudaError; bool THRW = true] ";
const behind =
  " ; GPU=0 ; hostname=vm ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/x.cc ; line=66 ; expr=f();";
const full = /^Cannot go on: out of GPU memory, 3 of 81079 MiB are free; end what else uses the GPU/;
const resume = "start the command again to resume, or use --device cpu";

/** What happens, what ONNX Runtime says, MiB then free on the GPU, and the line for it. */
const cases: [string, string, number, RegExp | string][] = [
  ["memory of CUDA", `${place}CUDA failure 2: out of memory${behind}`, 3, full],
  [
    "memory of ONNX Runtime's arena",
    "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 3600000000",
    3,
    full,
  ],
  ["memory of cuBLAS", `${place}CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED${behind}`, 3, full],
  [
    "cuBLAS without room for its handle",
    `${place}CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED${behind}`,
    3,
    full,
  ],
  [
    "cuBLAS broken on an empty GPU",
    `${place}CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED${behind}`,
    70_000,
    `Cannot run the program on cuda: CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED; ${resume}`,
  ],
  [
    "an illegal access, with more lines",
    `${place}CUDA failure 700: an illegal memory access was encountered${behind}\nmore of it`,
    70_000,
    `Cannot run the program on cuda: CUDA failure 700: an illegal memory access was encountered; ${resume}`,
  ],
  [
    "an operator without a kernel",
    "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user.",
    70_000,
    "Cannot run the program on cuda: it has an operator the GPU has no kernel for; use --device cpu",
  ],
  [
    "a reduction without cuDNN",
    "Non-zero status code returned while running ReduceMean node. Name:'' Status Message: cuDNN is unavailable for CUDA Execution Provider: dlopen failed for libcudnn.so: libcudnn.so: cannot open shared object file",
    70_000,
    "Cannot run the program on cuda: cuDNN cannot be loaded; run deno task setup:cuda",
  ],
  [
    "a node that fails",
    "Non-zero status code returned while running Gemm node. Name:'g'",
    70_000,
    `Cannot run the program on cuda: while running Gemm node. Name:'g'; ${resume}`,
  ],
];

for (const [name, message, free, wanted] of cases) {
  Deno.test(`one line for ${name}`, () => {
    const thrown = new Error(message);
    const error = explained(thrown, () => ({ free: free * mib, total: 81079 * mib })) as Error;
    if (typeof wanted === "string") assert.equal(error.message, wanted);
    else assert.match(error.message, wanted);
    assert.ok(!error.message.includes("\n"));
    assert.equal(error.cause, thrown);
  });
}

Deno.test("a GPU too full to tell its memory is out of memory all the same", () => {
  assert.match(exhausted(undefined), /^Cannot go on: out of GPU memory; end what else uses the GPU/);
});

Deno.test("an error that says its mend stays as it is", () => {
  const thrown = new Error("Cannot read it: it is gone");
  assert.equal(explained(thrown, () => undefined), thrown);
});
