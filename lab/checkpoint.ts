/** A stage's checkpoint: one file per key, replaced in one step, with its own digest. */
import { join } from "node:path";
import { sha256 } from "./canonical.ts";
import { readIfThere, remove, type Writer } from "./durable.ts";
import type { Budget } from "./stage.ts";

/** What rides along with a stage's own state. */
export interface Spent {
  /** Steps of all attempts so far. */
  readonly budget: Budget;
  /** Seconds of all attempts so far. */
  readonly seconds: number;
}

/** A checkpoint as read back. */
export interface Checkpoint extends Spent {
  /** The stage's own state, in its own form. */
  readonly payload: Uint8Array;
}

const KIND = "uplift/checkpoint";

/** Folder of a key's checkpoint. */
export function checkpointFolder(store: string, key: string): string {
  return join(store, "checkpoints", key);
}

/** The file in a checkpoint's folder. */
export function checkpointPath(folder: string): string {
  return join(folder, "checkpoint");
}

/** The key's checkpoint: undefined when there is none, "damaged" when its bytes do not match its digest. */
export function readCheckpoint(folder: string): Checkpoint | "damaged" | undefined {
  const bytes = readIfThere(checkpointPath(folder));
  if (!bytes) return undefined;
  const end = bytes.indexOf(10);
  try {
    const { kind, digest, ...spent } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    const payload = bytes.slice(end + 1);
    if (end < 0 || kind !== KIND || digest !== digestFor(spent, payload)) return "damaged";
    return { ...spent, payload };
  } catch {
    return "damaged";
  }
}

/** Replaces the key's checkpoint. */
export function writeCheckpoint(folder: string, payload: Uint8Array, spent: Spent, writer: Writer): void {
  const header = JSON.stringify({ kind: KIND, digest: digestFor(spent, payload), ...spent }) + "\n";
  writer.write(checkpointPath(folder), [new TextEncoder().encode(header), payload]);
}

/** Drops the key's checkpoint, once its outcome is committed. */
export function removeCheckpoint(folder: string): void {
  remove(folder);
}

function digestFor({ budget, seconds }: Spent, payload: Uint8Array): string {
  const { environmentSteps, gradientSteps } = budget;
  return sha256(JSON.stringify([environmentSteps, gradientSteps, seconds, sha256(payload)]));
}
