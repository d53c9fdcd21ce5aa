/** Stage keys: what must be equal for a stored outcome to stand for a run. */
import { documentHash, type Json } from "./canonical.ts";
import type { Code } from "./module_graph.ts";
import type { Kind } from "./stage.ts";

/** The document whose hash is a stage's key. */
export interface Preimage {
  /** Tells this document from all others that are hashed. */
  readonly kind: "uplift/stage-key";
  /** Raised when the form of the document changes. */
  readonly version: 1;
  /** Repository-relative path of the stage's module. */
  readonly stage: string;
  /** Hash over the digests of all modules the stage reaches. */
  readonly code: string;
  /** Integrity of each package it reaches. */
  readonly packages: Readonly<Record<string, string>>;
  /** Parameters with defaults filled in. */
  readonly parameters: Json;
  /** Digests of the inputs by role. */
  readonly inputs: Readonly<Record<string, string | readonly string[]>>;
  /** Kinds of the outputs by name. */
  readonly outputs: Readonly<Record<string, Kind>>;
  /** Seed of the stage's random streams. */
  readonly seed: number;
  /** What may round numbers differently; `threads` are ONNX Runtime's. */
  readonly runtime: {
    readonly deno: string;
    readonly os: string;
    readonly arch: string;
    readonly threads: number;
    /** The fingerprint of the simulator, for stages that need one. */
    readonly simulator?: Json;
    /** Name and fingerprint of what programs run on; absent for the CPU, and where the stage runs none. */
    readonly device?: Json;
  };
}

/** ONNX Runtime threads of every stage: sums depend on it, so it is the same everywhere, and in every key. */
export const THREADS = 2;

/** A key and the document behind it. `modules` tells which file changed when `code` does. */
export interface StageKey {
  /** 64 hexadecimal digits. */
  readonly key: string;
  /** The document whose hash the key is. */
  readonly preimage: Preimage;
  /** Digest of each module by repository-relative path. */
  readonly modules: Readonly<Record<string, string>>;
}

/** What a key is made of, beside the machine's runtime. */
export interface KeyParts {
  /** Repository-relative path of the stage's entry. */
  readonly entry: string;
  /** All code the stage reaches. */
  readonly code: Code;
  /** Parameters with defaults filled in. */
  readonly parameters: Json;
  /** Digests by role. */
  readonly inputs: Readonly<Record<string, string | readonly string[]>>;
  /** Kinds by name. */
  readonly outputs: Readonly<Record<string, Kind>>;
  /** Seed of the stage's random streams. */
  readonly seed: number;
  /** The simulator it needs, asked what it is. */
  readonly simulator?: { readonly fingerprint?: Json; readonly missing?: string };
  /** What it runs programs on, asked what it is. */
  readonly device?: { readonly name: string; readonly fingerprint?: Json; readonly missing?: string };
}

/** This process's runtime, as keys hold it. */
export const runtime: Preimage["runtime"] = {
  deno: Deno.version.deno,
  os: Deno.build.os,
  arch: Deno.build.arch,
  threads: THREADS,
};

/** What a stage runs on: the machine's runtime, and fingerprints of its device and simulator, or why there is none. */
export function runtimeOf(
  { simulator, device }: Pick<KeyParts, "simulator" | "device">,
  on: Preimage["runtime"] = runtime,
): Preimage["runtime"] {
  const print = ({ fingerprint, missing }: { readonly fingerprint?: Json; readonly missing?: string }) =>
    fingerprint ?? { missing: missing ?? "not asked" };
  return {
    ...on,
    ...(simulator ? { simulator: print(simulator) } : {}),
    ...(device ? { device: { [device.name]: print(device) } } : {}),
  };
}

/**
 * The key of a stage. Host name, paths, clock, number of workers and the lab's own code are left out: none of them may
 * change a stage's bytes, and `exp verify` shows when one does.
 */
export function stageKey(parts: KeyParts, on: Preimage["runtime"] = runtime): StageKey {
  const preimage: Preimage = {
    kind: "uplift/stage-key",
    version: 1,
    // The module, not the name it has in a graph: two experiments that ask for the same thing share it.
    stage: parts.entry,
    code: documentHash(parts.code.modules),
    // Only packages the stage reaches: an upgrade of the browser's does not retrain a policy.
    packages: parts.code.packages,
    parameters: parts.parameters,
    // By role and by content: equal bytes from changed code stop the rebuild here.
    inputs: parts.inputs,
    outputs: parts.outputs,
    seed: parts.seed,
    // V8 and the system's libm may round differently, and sums split over other threads do.
    runtime: runtimeOf(parts, on),
  };
  return { key: documentHash(preimage as unknown as Json), preimage, modules: parts.code.modules };
}
