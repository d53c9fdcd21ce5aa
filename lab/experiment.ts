/** An experiment: a document that names a question, its hyperparameters and its graph of stages. It computes nothing. */
import type { z } from "zod";
import type { Json } from "./canonical.ts";
import type { Inputs, Kind, Outputs, StageModule } from "./stage.ts";

/** An output of a stage, as an edge of the graph. */
export interface Handle<K extends Kind = Kind> {
  /** Name of the stage in this graph. */
  readonly stage: string;
  /** Name of the output among the stage's. */
  readonly output: string;
  /** What the output holds. */
  readonly kind: K;
}

/** An object that is in the store already, as an input: what an earlier run made, or another store. */
export interface Given<K extends Kind = Kind> {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly given: string;
  /** What it holds, by the word of whoever names it. */
  readonly kind: K;
}

/** What a stage reads: an output of another stage, or an object that was named. */
export type Input<K extends Kind = Kind> = Handle<K> | Given<K>;

/** Inputs a stage takes: one per role, a list where the role is a list. */
export type Handles<I extends Inputs> = {
  readonly [R in keyof I]: I[R] extends `${infer K extends Kind}[]` ? readonly Input<K>[]
    : I[R] extends Kind ? Input<I[R]>
    : never;
};

/**
 * Names an object of the store as an input. Its digest stands in the keys of the stages that read it, exactly as if a stage
 * had made it.
 *
 * @param digest 64 hexadecimal digits, with or without `sha256:` before them
 * @throws {RangeError} when it is no digest
 */
export function given<K extends Kind>(kind: K, digest: string): Given<K> {
  const hex = digest.replace(/^sha256:/, "");
  if (!/^[0-9a-f]{64}$/.test(hex)) {
    throw new RangeError(
      `Cannot read ${kind} "${digest}": name an object by sha256: and 64 hexadecimal digits, as exp show prints them`,
    );
  }
  return { given: `sha256:${hex}`, kind };
}

/** How a stage is put into the graph. */
export interface StageOptions {
  /** Unique in the graph; letters, digits, dots and dashes. */
  readonly name: string;
  /** Seed of the stage's random streams; the experiment's by default. */
  readonly seed?: number;
}

/** Adds a stage to the graph. Parameters are checked at once and enter the key with their defaults. */
export type AddStage = <I extends Inputs, O extends Outputs, S extends z.ZodType>(
  module: StageModule<I, O, S>,
  inputs: Handles<I>,
  parameters: z.input<S>,
  options: StageOptions,
) => { readonly [N in keyof O]: Handle<O[N]> };

/** What the graph is for: its labelled results. */
export interface Graph {
  /** Success tables by label; the first is "before", what the others are compared with. */
  readonly evaluations: Readonly<Record<string, Handle<"evaluation">>>;
  /** Learning curves by label, which reports call measured on training states, and tables of groups and guidances. */
  readonly curves?: Readonly<Record<string, Handle<"metrics">>>;
  /** Further questions "is `after` better than `before`?", by labels of evaluations, beside those about the first. */
  readonly comparisons?: readonly { readonly after: string; readonly before: string }[];
  /** What later stages take for granted of evaluations: the report warns where it does not hold. */
  readonly expectations?: readonly Expectation[];
  /** Methods that start from the first policy: reports set side by side what each brought and what it cost. */
  readonly methods?: readonly Method[];
}

/** A method among others that start from the same policy. */
export interface Method {
  /** Label of the evaluation of what it ends with. */
  readonly label: string;
  /** Its success on training states, in order: learning curves, or scores by guidance after a stage. */
  readonly progress: readonly Handle<"metrics">[];
}

/** That a policy is not far below another one. */
export interface Expectation {
  /** Label of the evaluation. */
  readonly label: string;
  /** Label of the evaluation it should come near. */
  readonly near: string;
  /** What to tell the reader otherwise: a sentence without its last full stop. */
  readonly otherwise: string;
}

/** A hyperparameter this experiment sets away from the method's default, and why. */
export interface Override {
  /** Dotted path, e.g. "learner.rewardScale". */
  readonly path: string;
  /** The value instead of the method's default. */
  readonly value: Json;
  /** Why, in words that reports can print. */
  readonly reason: string;
}

/** Something that no command of this repository brings, and that a run needs: `exp doctor NAME` tells of it. */
export interface Need {
  /** What it is, e.g. "checkpoint". */
  readonly name: string;
  /** What exactly is needed. */
  readonly detail: string;
  /** The command that gets it, in words where there is none. */
  readonly mend: string;
  /** How this machine is asked for it; left out where it cannot be: the need is then only told. */
  readonly check?: { readonly kind: "gpu"; readonly gigabytes: number } | {
    readonly kind: "file";
    readonly path: string;
  };
}

/** An experiment module's default export. */
export interface Experiment<S extends z.ZodObject = z.ZodObject> {
  /** The file's name with dashes: experiments/pld_tabletop.ts is "pld-tabletop". */
  readonly name: string;
  /** Raised when the question changes; everything else is in the keys. */
  readonly version: number;
  /** The question in a sentence or two, for lists and reports. */
  readonly summary: string;
  /** Seeds of the full result; a run without `--seed` takes the first. */
  readonly seeds: readonly number[];
  /** A z.strictObject with a default for every value. */
  readonly hyperparameters: S;
  /** Departures from the methods' defaults; presets and the command line go over them. */
  readonly overrides?: readonly Override[];
  /** What its defaults need beside what its stages ask for. */
  readonly needs?: readonly Need[];
  /** Values by path, by preset. "smoke" runs the whole graph in under a minute. */
  readonly presets: Readonly<Record<string, Readonly<Record<string, Json>>>> & {
    readonly smoke: Readonly<Record<string, Json>>;
  };
  /** Called once a seed; must be a function of its arguments alone. */
  graph(stage: AddStage, scope: { readonly seed: number; readonly hyperparameters: z.output<S> }): Graph;
}

/**
 * Declares an experiment.
 *
 * @throws {RangeError} when its name, version or seeds have a wrong form
 */
export function experiment<S extends z.ZodObject>(definition: Experiment<S>): Experiment<S> {
  const { name, version, seeds } = definition;
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw new RangeError(`Cannot name an experiment "${name}": use lower-case words joined by dashes`);
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new RangeError(
      `Cannot give experiment "${name}" version ${version}: versions are positive integers`,
    );
  }
  if (seeds.length === 0 || !seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)) {
    throw new RangeError(`Cannot give experiment "${name}" seeds [${seeds}]: list non-negative integers`);
  }
  return definition;
}
