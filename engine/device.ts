/** Where programs run: the device of this thread, as the lab or a test chose it. */
import { type Device, devices } from "./providers/devices.ts";

/**
 * The name under which a worker's device lies on `globalThis`: a string. The lab sets it before it loads a stage (the
 * lab knows no engine), and the device is part of that stage's key.
 */
export const DEVICE: symbol = Symbol.for("uplift.device");

/**
 * The device programs of this thread run on when nobody says otherwise; "cpu" unless the lab chose another.
 *
 * @throws {Error} when the thread was given a device that does not exist
 */
export function device(): Device {
  const chosen = (globalThis as unknown as Record<symbol, string | undefined>)[DEVICE] ?? "cpu";
  if (!Object.hasOwn(devices, chosen)) {
    const known = Object.keys(devices).join(", ");
    throw new Error(`Cannot run programs on device "${chosen}": it must be one of ${known}`);
  }
  return chosen as Device;
}
