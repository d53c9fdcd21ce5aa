/** Where programs run: the device of this thread, as the lab or a test chose it. */

/** What a program can run on. */
export type Device = "cpu" | "cuda";

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
  const chosen = (globalThis as unknown as Record<symbol, unknown>)[DEVICE] ?? "cpu";
  if (chosen !== "cpu" && chosen !== "cuda") {
    throw new Error(`Cannot run programs on device "${chosen}": it must be cpu or cuda`);
  }
  return chosen;
}
