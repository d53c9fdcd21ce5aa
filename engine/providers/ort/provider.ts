/** ONNX Runtime through its C API: state bound once and never copied, on the CPU and on a CUDA GPU. */
import { carry } from "./cuda_learner.ts";
import { load } from "./cuda_program.ts";
import { host } from "./host_provider.ts";
import type { Provider } from "../provider.ts";

/** Runs programs on the CPU or on one GPU; what a GPU has no kernel for is refused. */
export const provider: Provider = {
  devices: ["cpu", "cuda"],
  load: (program, options) => options.device === "cpu" ? host.load(program, options) : load(program),
  carry: (program, state, options) =>
    options.device === "cpu" ? host.carry(program, state, options) : carry(program, state, options),
};
