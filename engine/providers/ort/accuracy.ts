/** What the tests hold this provider to. */
import { driver, fault } from "./cuda_driver.ts";
import { missing } from "./cuda_libraries.ts";
import type { Accuracy } from "../provider.ts";

/** By device. On the CPU it runs the library of onnxruntime-node; a GPU rounds otherwise. */
export const accuracy: Readonly<Record<string, Accuracy>> = {
  cpu: { kernels: 2e-6, updates: 0 },
  // The sums of a product run in another order there: 1e-4 after a call of updates is float32 all the way (TF32 would
  // give 1e-3); Table 5 stands at 7.4e-5 after 200.
  cuda: {
    kernels: 1e-5,
    updates: 1e-4,
    lacks: ["atanh"],
    usable: () => fault(driver()) === undefined && missing().length === 0,
  },
};
