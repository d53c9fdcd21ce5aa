/** What the tests hold this provider to. */
import type { Accuracy } from "../provider.ts";

/** By device; it is itself what the others' updates are compared with. */
export const accuracy: Readonly<Record<string, Accuracy>> = {
  cpu: { kernels: 2e-6, updates: 0 },
};
