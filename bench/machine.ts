/** What a benchmark ran on: goes into its JSON, beside the figures. */
import { cpus } from "node:os";
import { driver } from "../engine/providers/ort/cuda_driver.ts";

/** A machine and what runs on it. */
export interface Machine {
  /** Operating system, e.g. "linux". */
  readonly os: string;
  /** Instruction set, e.g. "x86_64". */
  readonly arch: string;
  /** Hardware threads that this process may use. */
  readonly cores: number;
  /** Model of the CPU as the operating system names it. */
  readonly cpu: string;
  /** Name of the first CUDA GPU; null where there is none. */
  readonly gpu: string | null;
  /** Version of Deno. */
  readonly deno: string;
  /** Version of V8. */
  readonly v8: string;
  /** Version of ONNX Runtime. */
  readonly onnxruntime: string;
}

/** This machine. */
export async function machine(): Promise<Machine> {
  const { env: { versions } } = await import("onnxruntime-node");
  const { deno, v8 } = Deno.version;
  return {
    os: Deno.build.os,
    arch: Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    gpu: driver().gpu?.name ?? null,
    deno,
    v8,
    onnxruntime: versions.common,
  };
}
