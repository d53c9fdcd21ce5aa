/** The libraries behind this provider: where they are, and opening them once and for good. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { OrtApi, type Pointer, text } from "./api.ts";

/** RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE */
const FOR_GOOD = 0x2 | 0x100 | 0x1000;
/** ORT_LOGGING_LEVEL_FATAL */
const FATAL = 4;

/** An opened ONNX Runtime. */
export interface Runtime {
  /** Its functions. */
  readonly api: OrtApi;
  /** Its environment, shared with everything else in the process that opened the same file. */
  readonly env: Pointer;
  /** OrtMemoryInfo of the host's memory. */
  readonly host: Pointer;
}

/** The libonnxruntime that comes with the package onnxruntime-node: CPU only. */
export function packagedLibrary(): string {
  const { os, arch } = Deno.build;
  if (os !== "linux") {
    throw new Error(
      `Cannot open ONNX Runtime's C library on ${os}: it must be Linux; leave online.pipelined off`,
    );
  }
  const package_ = dirname(dirname(createRequire(import.meta.url).resolve("onnxruntime-node")));
  const folder = arch === "x86_64" ? "x64" : "arm64";
  return join(package_, "bin", "napi-v6", "linux", folder, "libonnxruntime.so.1");
}

let loader: ReturnType<typeof openLoader> | undefined;

function openLoader() {
  return Deno.dlopen("libc.so.6", {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
    dlerror: { parameters: [], result: "pointer" },
  });
}

/**
 * Loads a library so that it stays until the process ends, and its names are found by those loaded after it. Deno closes
 * what it opened when a worker ends, and CUDA's libraries do not survive that.
 *
 * @throws {Error} with the system's reason
 */
export function pin(path: string): void {
  loader ??= openLoader();
  if (loader.symbols.dlopen(text(path), FOR_GOOD)) return;
  const reason = loader.symbols.dlerror();
  throw new Error(
    `Cannot load ${path}: ${reason ? Deno.UnsafePointerView.getCString(reason) : "no reason given"}`,
  );
}

const open = new Map<string, Runtime>();

/**
 * Opens an ONNX Runtime, the same one again for the same file.
 *
 * @throws {Error} when it is missing or too old
 */
export function openRuntime(path: string): Runtime {
  const known = open.get(path);
  if (known) return known;
  pin(path);
  const library = Deno.dlopen(path, { OrtGetApiBase: { parameters: [], result: "pointer" } });
  const api = new OrtApi(library.symbols.OrtGetApiBase()!);
  const env = api.make("CreateEnv", FATAL, text("uplift"));
  // OrtArenaAllocator, device 0, OrtMemTypeDefault
  const host = api.make("CreateMemoryInfo", text("Cpu"), 1, 0, 0);
  const runtime = { api, env, host };
  open.set(path, runtime);
  return runtime;
}
