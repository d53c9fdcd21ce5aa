/** What is wrong with a process of python/lerobot_bridge that ended, in words, and the mend. */
import { describeEnd as describe, type End, type Mends } from "../process/end.ts";

const killed = "probably out of memory: a smaller batch or device takes less";
const causes: Mends["causes"] = [
  [/out of memory|MemoryError|bad_alloc|Cannot allocate memory/i, killed],
  [/No module named '?lerobot_bridge/, "the folder python/ of this repository is not whole"],
  [/No module named '?([\w.]+)/, ([, name]) => `package ${name} is missing, run "deno task setup:lerobot"`],
  [/CUDA|cuDNN|NVIDIA driver/, "the GPU cannot be used, see the device"],
];

/** "exit code 1: ModuleNotFoundError: No module named 'torch' (package torch is missing, run ...)". */
export function describeEnd(end: End): string {
  return describe(end, { causes, killed });
}
