/**
 * What this machine's GPU can do, as one JSON document on stdout: `checks` for `exp doctor gpu`, and `fingerprint`, what
 * decides the GPU's bits, when it can be used. Run in a process of its own: a crash of a driver is an answer, too.
 */
import { join } from "node:path";
import { max, mul } from "@tensorflow/tfjs-core";
import { openGpu } from "./cuda.ts";
import { driver, fault } from "./cuda_driver.ts";
import { folder, libraries, missing, named } from "./cuda_libraries.ts";
import { pin } from "./library.ts";
import { compile } from "../../program.ts";
import { Session } from "../../session.ts";
import { ndarray } from "../../../ndarray.ts";

/** One line of the doctor. */
export interface Check {
  /** What was looked at. */
  readonly name: string;
  /** Whether it will do. */
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** What mends it. */
  readonly mend?: string;
}

const SETUP = "deno task setup:cuda";
const MEMORY_WANTED = 2 ** 30;

function checkDriver(): Check[] {
  const found = driver();
  const wrong = fault(found);
  if (wrong) return [{ name: "driver", ok: false, detail: wrong.fault, mend: wrong.mend }];
  const { cuda, gpu } = found;
  const capability = `${Math.floor(gpu!.capability / 10)}.${gpu!.capability % 10}`;
  const gib = (gpu!.memory / 2 ** 30).toFixed(0);
  return [
    { name: "driver", ok: true, detail: `serves CUDA ${Math.floor(cuda! / 1000)}.${cuda! % 1000 / 10}` },
    { name: "gpu", ok: true, detail: `${gpu!.name}, ${gib} GiB, compute capability ${capability}` },
  ];
}

function checkLibraries(loadable: boolean): Check {
  const absent = missing();
  const name = "libraries";
  if (absent.length > 0) return { name, ok: false, detail: `.cuda/lib lacks ${named(absent)}`, mend: SETUP };
  try {
    // Some need the driver to load.
    for (const { file } of libraries) {
      if (loadable && !file.startsWith("libonnxruntime_")) pin(join(folder, file));
    }
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message, mend: SETUP };
  }
  return { name, ok: true, detail: `${libraries.length} in .cuda/lib`, mend: SETUP };
}

async function checkRun(): Promise<Check[]> {
  try {
    const gpu = openGpu();
    const { free, total } = gpu.memory();
    const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
    const memory = {
      name: "memory",
      ok: free >= MEMORY_WANTED,
      detail: `${mib(free)} of ${mib(total)} free, at least ${mib(MEMORY_WANTED)} is needed`,
      mend: "end what else uses the GPU: nvidia-smi lists it",
    };
    // The largest of all is cuDNN's work, as in most updates.
    const program = compile(({ x }) => ({ y: mul(x!, 2), largest: max(x!) }), { x: [64] });
    await using session = await Session.create(program, { device: "cuda" });
    const { y, largest } = await session.run({ x: ndarray([64], new Float32Array(64).fill(21)) });
    const ok = y!.data.every((value) => value === 42) && largest!.data[0] === 21;
    const detail = `${gpu.runtime.api.version}, ${ok ? "runs a program" : "a program gave wrong numbers"}`;
    return [memory, { name: "onnxruntime", ok, detail, mend: SETUP }];
  } catch (error) {
    // What the GPU refuses says itself what mends it.
    const [detail, mend] = (error as Error).message.replace(/^Cannot [^:]*: /, "").split("; ");
    return [{ name: "onnxruntime", ok: false, detail: detail!, mend: mend ?? SETUP }];
  }
}

/** Versions of the libraries that compute. */
function versions(): Record<string, number> {
  const cublas = Deno.dlopen(join(folder, "libcublasLt.so.13"), {
    cublasLtGetVersion: { parameters: [], result: "usize" },
  });
  const cudnn = Deno.dlopen(join(folder, "libcudnn.so.9"), {
    cudnnGetVersion: { parameters: [], result: "usize" },
  });
  return {
    cublas: Number(cublas.symbols.cublasLtGetVersion()),
    cudnn: Number(cudnn.symbols.cudnnGetVersion()),
  };
}

if (import.meta.main) {
  const checks = checkDriver();
  const drives = checks.every(({ ok }) => ok);
  checks.push(checkLibraries(drives));
  if (checks.every(({ ok }) => ok)) checks.push(...await checkRun());
  const ok = checks.every((check) => check.ok);
  const fingerprint = ok
    ? { gpu: driver().gpu!.name, onnxruntime: openGpu().runtime.api.version, ...versions() }
    : undefined;
  console.log(JSON.stringify({ checks, fingerprint }));
  Deno.exit(0); // not through the exit handlers of CUDA's libraries
}
