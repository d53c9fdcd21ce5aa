/** NVIDIA's driver by FFI: whether there is one, what it can do, and which GPU it has. */

/** The driver must know this version of CUDA: the libraries are built with it. */
const WANTED = 13000;
/** Compute capability from which on there is code for a GPU in the libraries, times ten. */
const CAPABILITY = 75;
const MAJOR = 75, MINOR = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
// Where the driver lies when it is not on the loader's path: in containers, and in Windows' Linux.
const PLACES = ["libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"];

/** What a driver says of itself. */
export interface Driver {
  /** Newest CUDA version it serves, e.g. 13000; undefined when there is no driver. */
  readonly cuda?: number;
  /** Error code of its initialisation; 0 when all is well. */
  readonly code?: number;
  /** GPUs it has. */
  readonly gpus?: number;
  /** The first GPU. */
  readonly gpu?: { readonly name: string; readonly capability: number; readonly memory: number };
}

/** Asks the driver of this machine. */
export function driver(): Driver {
  const library = open();
  if (!library) return {};
  const { symbols } = library;
  const out = new Int32Array(2);
  const int = (f: (out: Int32Array<ArrayBuffer>) => number) => (f(out.fill(0)), out[0]!);
  const cuda = int((out) => symbols.cuDriverGetVersion(out));
  const code = symbols.cuInit(0);
  if (code !== 0) return { cuda, code };
  const gpus = int((out) => symbols.cuDeviceGetCount(out));
  if (gpus === 0) return { cuda, code, gpus };
  const text = new Uint8Array(256);
  symbols.cuDeviceGetName(text, text.length, 0);
  const name = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
  const [major, minor] = [MAJOR, MINOR].map((what) =>
    int((out) => symbols.cuDeviceGetAttribute(out, what, 0))
  );
  const memory = new BigUint64Array(1);
  symbols.cuDeviceTotalMem_v2(memory, 0);
  return { cuda, code, gpus, gpu: { name, capability: 10 * major! + minor!, memory: Number(memory[0]) } };
}

function open() {
  for (const path of PLACES) {
    try {
      return Deno.dlopen(path, {
        cuInit: { parameters: ["u32"], result: "i32" },
        cuDriverGetVersion: { parameters: ["buffer"], result: "i32" },
        cuDeviceGetCount: { parameters: ["buffer"], result: "i32" },
        cuDeviceGetName: { parameters: ["buffer", "i32", "i32"], result: "i32" },
        cuDeviceGetAttribute: { parameters: ["buffer", "i32", "i32"], result: "i32" },
        cuDeviceTotalMem_v2: { parameters: ["buffer", "i32"], result: "i32" },
      });
    } catch {
      // the next place
    }
  }
  return undefined;
}

/** What is wrong with a driver, and what mends it; undefined when a program can run on its GPU. */
export function fault(
  { cuda, code = 0, gpus = 0, gpu }: Driver,
): { fault: string; mend: string } | undefined {
  const version = (v: number) => `${Math.floor(v / 1000)}.${Math.floor(v % 1000 / 10)}`;
  if (cuda === undefined) {
    return {
      fault: "no NVIDIA driver (libcuda.so.1) on this machine",
      mend: "install NVIDIA's driver, 580 or newer, or use --device cpu",
    };
  }
  if (cuda < WANTED) {
    return {
      fault: `the NVIDIA driver serves CUDA ${version(cuda)}, ${version(WANTED)} is needed`,
      mend: "update NVIDIA's driver to 580 or newer",
    };
  }
  if (code !== 0 && code !== 100) {
    return {
      fault: `the NVIDIA driver does not start (error ${code})`,
      mend: "run nvidia-smi; restart the machine after an update of the driver",
    };
  }
  if (gpus === 0 || !gpu) {
    return { fault: "the NVIDIA driver sees no GPU", mend: "give this machine or container a GPU" };
  }
  if (gpu.capability < CAPABILITY) {
    const capability = (c: number) => `${Math.floor(c / 10)}.${c % 10}`;
    return {
      fault: `${gpu.name} has compute capability ${capability(gpu.capability)}, ${
        capability(CAPABILITY)
      } is needed`,
      mend: "use a GPU of the Turing generation or newer",
    };
  }
  return undefined;
}
