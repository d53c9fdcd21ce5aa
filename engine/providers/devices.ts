/**
 * The providers by device. The lab reads this table: a stage on a device other than the CPU has the provider's code in
 * its key, and what the probe found.
 */

/** A device as the lab knows it. */
export interface DeviceEntry {
  /** Folder of the provider that serves it, beside this file. */
  readonly provider: string;
  /** The one whose updates leave the calling thread free, where that is another. It gives the same bits. */
  readonly concurrent?: string;
  /**
   * Module in that folder that is run in a process of its own and prints one JSON document: `checks` for the doctor, and
   * `fingerprint`, what decides the device's bits, where it can be used.
   */
  readonly probe?: string;
}

/** What a program can run on. */
export type Device = "cpu" | "cuda";

/** Devices by name; `--device auto` takes the first, from the last, that can be used. */
export const devices: Readonly<Record<Device, DeviceEntry>> = {
  cpu: { provider: "cpu", concurrent: "ort" },
  cuda: { provider: "ort", probe: "ort/probe.ts" },
};
