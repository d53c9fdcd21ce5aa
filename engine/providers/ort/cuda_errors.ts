/** What a GPU refuses, as one line that says what mends it. */

/** Memory of a GPU in bytes. */
export interface Memory {
  /** What nobody uses. */
  readonly free: number;
  /** All it has. */
  readonly total: number;
}

const OUT_OF_MEMORY =
  /out of memory|failed to allocate memory|cudaErrorMemoryAllocation|CUDA failure 2:|STATUS_ALLOC_FAILED|failure \d+: the resource allocation failed/i;
// What cuBLAS and cuDNN say of a handle whose workspace does not fit, but of a broken GPU, too.
const NOT_STARTED = /STATUS_NOT_INITIALIZED|failure \d+: the library was not initialized/i;
const SCARCE = 2 ** 28;
const NO_KERNEL = /fallback to CPU EP has been explicitly disabled|graph capture feature/;
const NO_CUDNN = /cuDNN is unavailable/;
// ONNX Runtime puts the place in its own sources before what went wrong, and the machine behind it.
const BEFORE = /^.*(CU\w+ failure|ONNXRuntimeError\] : \d+ : \w+ : )|^Non-zero status code returned /;
const BEHIND = / ; GPU=\d.*$/;

/** What to say when the GPU's memory is used up; `memory` is undefined where the GPU does not even tell that. */
export function exhausted(memory: Memory | undefined): string {
  const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
  const left = memory ? `, ${mib(memory.free)} of ${mib(memory.total)} MiB are free` : "";
  return `Cannot go on: out of GPU memory${left}; ` +
    "end what else uses the GPU (nvidia-smi lists it), take a smaller batch, or use --device cpu";
}

/** An error of ONNX Runtime on the GPU as one line with its mend; errors of this house as they are. */
export function explained(thrown: unknown, memory: () => Memory | undefined): unknown {
  if (!(thrown instanceof Error) || thrown.message.startsWith("Cannot ")) return thrown;
  const { message } = thrown;
  const because = (line: string) => new Error(line, { cause: thrown });
  const left = memory();
  if (OUT_OF_MEMORY.test(message) || NOT_STARTED.test(message) && (!left || left.free < SCARCE)) {
    return because(exhausted(left));
  }
  if (NO_KERNEL.test(message)) {
    const reason = "it has an operator the GPU has no kernel for; use --device cpu";
    return because(`Cannot run the program on cuda: ${reason}`);
  }
  if (NO_CUDNN.test(message)) {
    return because("Cannot run the program on cuda: cuDNN cannot be loaded; run deno task setup:cuda");
  }
  const line = message.split("\n", 1)[0]!.replace(BEHIND, "").replace(BEFORE, "$1");
  return because(
    `Cannot run the program on cuda: ${line}; start the command again to resume, or use --device cpu`,
  );
}
