/** The libraries a CUDA GPU needs, where they lie, and the Python packages they come in. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A library of `.cuda/lib`. */
export interface Library {
  /** File name, which is also the name others ask the loader for. */
  readonly file: string;
  /** Python package that holds it. */
  readonly package: string;
}

/** ONNX Runtime itself, by its file name. */
export const ONNXRUNTIME = "libonnxruntime.so.1.30.0";

/** In an order in which they can be loaded. */
export const libraries: readonly Library[] = [
  { file: "libcudart.so.13", package: "nvidia-cuda-runtime" },
  { file: "libcublasLt.so.13", package: "nvidia-cublas" },
  { file: "libcublas.so.13", package: "nvidia-cublas" },
  { file: "libcurand.so.10", package: "nvidia-curand" },
  { file: "libnvrtc.so.13", package: "nvidia-cuda-nvrtc" },
  { file: "libcudnn.so.9", package: "nvidia-cudnn-cu13" },
  { file: ONNXRUNTIME, package: "onnxruntime-gpu" },
  { file: "libonnxruntime_providers_shared.so", package: "onnxruntime-gpu" },
  { file: "libonnxruntime_providers_cuda.so", package: "onnxruntime-gpu" },
];

/** The folder that `deno task setup:cuda` fills. */
export const folder: string = join(fileURLToPath(new URL("../../../", import.meta.url)), ".cuda", "lib");

/** The libraries that a folder lacks. */
export function missing(where: string = folder): Library[] {
  return libraries.filter(({ file }) => {
    try {
      return !Deno.statSync(join(where, file)).isFile;
    } catch {
      return true;
    }
  });
}

/** Words for missing libraries: each with the package it comes in. */
export function named(list: readonly Library[]): string {
  return list.map(({ file, package: from }) => `${file} (${from})`).join(", ");
}
