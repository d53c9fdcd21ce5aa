/**
 * What this provider does on the CPU, apart from all that needs a GPU: a learner beside which its thread acts on runs here
 * without being asked for by name, so this code is part of the keys of stages on the CPU.
 */
import { load } from "./host.ts";
import { carry } from "./host_learner.ts";
import type { Provider } from "../provider.ts";

/** Runs programs on the CPU; updates leave the calling thread free. */
export const host: Provider = {
  devices: ["cpu"],
  load: (program, options) => Promise.resolve(load(program, options)),
  carry: (program, state, options) => Promise.resolve(carry(program, state, options)),
};
