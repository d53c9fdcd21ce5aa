/** Where programs run: the device of this thread, as the lab or a test chose it. */
import type { Device } from "./providers/devices.ts";

/**
 * The name under which a worker's device lies on `globalThis`: a string. The lab sets it before it loads a stage (the
 * lab knows no engine), and the device is part of that stage's key.
 */
export const DEVICE: symbol = Symbol.for("uplift.device");

/**
 * The device programs of this thread run on when nobody says otherwise; "cpu" unless the lab chose another. Whoever runs a
 * program on it is refused where it does not exist, as with one that is asked for by name.
 */
export function device(): Device {
  return (globalThis as unknown as Record<symbol, Device | undefined>)[DEVICE] ?? "cpu";
}
