/** What a stage is: a module with typed inputs, outputs and parameters, and the context it runs in. */
import type { z } from "zod";

/** Kinds of artifact and the media type each is stored under. */
export const mediaTypes = {
  weights: "application/vnd.safetensors",
  episodes: "application/vnd.apache.arrow.file",
  metrics: "application/vnd.apache.arrow.file",
  evaluation: "application/vnd.apache.arrow.file",
  policy: "application/onnx",
  normalization: "application/json",
  document: "application/json",
  dataset: "application/x-tar",
  checkpoint: "application/x-tar",
} as const;

/** What an artifact holds; edges of the graph join equal kinds only. */
export type Kind = keyof typeof mediaTypes;

/** Roles a stage reads: one artifact of a kind, or a list of them. */
export type Inputs = Readonly<Record<string, Kind | `${Kind}[]`>>;

/** Names a stage writes, each exactly once. */
export type Outputs = Readonly<Record<string, Kind>>;

/** One stored output. `path` is a read-only file, checked against `digest` before the stage starts. */
export interface Artifact {
  /** The file to read. */
  readonly path: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  /** Size of the file. */
  readonly bytes: number;
  /** Media type of the artifact's kind. */
  readonly mediaType: string;
}

/** A finished file instead of bytes: it is moved, so that a checkpoint of some gigabytes never passes through memory. */
export interface WholeFile {
  /** Where it lies; nothing is left there. */
  readonly path: string;
}

/** How far a stage is. */
export interface Progress {
  /** Units finished, 0 ... `total`; counts on after a resume. */
  readonly done: number;
  /** Units in all. */
  readonly total: number;
  /** Plural noun of what is counted, e.g. "episodes". */
  readonly unit: string;
  /** Current success rate, 0 ... 1. */
  readonly success?: number;
  /** A few words beside the numbers, e.g. a loss. */
  readonly note?: string;
}

/** What a stage has spent so far, over all its attempts. */
export interface Budget {
  /** Control steps taken in environments. */
  readonly environmentSteps: number;
  /** Gradient steps; of actor-critic methods those of the critic. */
  readonly gradientSteps: number;
}

/** Everything a stage may use beside its own imports. Nothing here but input, parameters and seed may change its bytes. */
export interface StageContext<I extends Inputs, O extends Outputs, P> {
  /** Artifacts by role. */
  readonly input: { readonly [R in keyof I]: I[R] extends `${string}[]` ? readonly Artifact[] : Artifact };
  /** Takers of outputs by name; each is written exactly once. */
  readonly output: { readonly [N in keyof O]: { write(content: Uint8Array | WholeFile): Promise<void> } };
  /** What the module's schema made of the parameters, with defaults filled in. */
  readonly parameters: P;
  /** Seed of all the stage's random streams. */
  readonly seed: number;
  /** ONNX Runtime threads, pinned because sums depend on it. */
  readonly threads: number;
  /** Environment workers this stage may use; results must not depend on it. */
  readonly workers: number;
  /** Whether the run is being stopped: a long stage then writes a checkpoint and throws `interruption()`. Cheap. */
  readonly interrupted: () => boolean;
  /** The error to throw once the checkpoint of an interrupted stage is written. */
  readonly interruption: () => Error;
  /** Cheap enough for every step: the lab reports it a few times a second at most. */
  progress(progress: Progress): void;
  /** What the stage keeps between attempts. */
  readonly checkpoint: {
    /** The newest checkpoint of this very key, if one is there and whole. Restores the budget. */
    read(): Promise<Uint8Array | undefined>;
    /** Replaces the checkpoint in one step. It must hold all of the stage's state. */
    write(bytes: Uint8Array): Promise<void>;
    /** Whether it is time for the next one (about every 10 s of wall clock). */
    due(): boolean;
  };
  /**
   * A folder for files of programs that the stage starts. It is kept between attempts of this very key and removed once the
   * stage is done; nothing but those programs vouches for what is in it.
   */
  scratch(): string;
  /** Adds to the budget. */
  spend(budget: Partial<Budget>): void;
  /** One line for the stage's log. */
  log(line: string): void;
}

/**
 * A simulator outside this repository that a stage needs: the code that drives it, and what tells one from another. Both
 * are part of the stage's key. A schema of parameters names it by its metadata: `schema.meta({ simulator })`, a function
 * from the parameter's value to this or undefined, so that every stage that takes the parameter is covered.
 */
export interface Simulator {
  /**
   * URL of the module that drives it. It exports `fingerprint(settings)`, whatever decides the simulator's bytes, as JSON
   * (asked at every command: it must be quick; it throws where the simulator is missing, and the message names the mend), and
   * `describe(settings)`, a line for reports.
   */
  readonly module: string;
  /** What the module is asked with: JSON. */
  readonly settings: unknown;
}

/** A stage module's exports, as `import * as trainResidual from "../stages/train_residual.ts"` gives them. */
export interface StageModule<I extends Inputs, O extends Outputs, S extends z.ZodType> {
  /** `import.meta.url` of the module: where its code digest starts. */
  readonly entry: string;
  /** Roles it reads. */
  readonly inputs: I;
  /** Names it writes. */
  readonly outputs: O;
  /** A `z.strictObject`: exactly the parameters that enter the key. */
  readonly parameters: S;
  /** Computes the outputs. */
  run(context: StageContext<I, O, z.output<S>>): Promise<void>;
}
