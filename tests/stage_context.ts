/** Runs a stage without a lab: outputs go to a folder that lasts as long as the process, nothing else is kept. */
import { createHash } from "node:crypto";
import type { z } from "zod";
import {
  type Artifact,
  type Budget,
  type Inputs,
  type Kind,
  mediaTypes,
  type Outputs,
  type Progress,
  type StageContext,
  type StageModule,
  type WholeFile,
} from "../lab/stage.ts";

const folder = await Deno.makeTempDir({ prefix: "uplift-stages-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** The digest of some bytes, as artifacts carry it. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Writes bytes where stages can read them as an input. */
export async function artifact(kind: Kind, bytes: Uint8Array): Promise<Artifact> {
  const digest = digestOf(bytes);
  const path = `${folder}/${digest.slice("sha256:".length)}`;
  await Deno.writeFile(path, bytes);
  return { path, digest, bytes: bytes.length, mediaType: mediaTypes[kind] };
}

/** What a stage throws when it was interrupted and has written its checkpoint. */
export class Interruption extends Error {}

/** What one attempt of a stage left behind. */
export interface Attempt<O extends Outputs> {
  /** Outputs by name; empty after an interruption. */
  readonly output: { readonly [N in keyof O]: Artifact };
  /** Every checkpoint written, oldest first. */
  readonly checkpoints: readonly Uint8Array[];
  /** What this attempt spent, without what an earlier one did. */
  readonly budget: Budget;
  readonly progress: readonly Progress[];
  readonly interrupted: boolean;
}

/** How a stage is run here. */
export interface Conditions {
  readonly seed?: number;
  /** Environment workers; 1 by default. */
  readonly workers?: number;
  /** Threads of an operator; 1 by default. */
  readonly threads?: number;
  /** Asks the stage to stop at the n-th time it looks, from 1 on. */
  readonly interruptAt?: number;
  /** The checkpoint of an earlier attempt. */
  readonly checkpoint?: Uint8Array | undefined;
  /** The scratch folder of an earlier attempt; a new one unless told. */
  readonly scratch?: string;
  /** A checkpoint is due whenever the stage asks. */
  readonly alwaysDue?: boolean;
  /** Told when the stage spends something. */
  readonly spent?: (budget: Partial<Budget>) => void;
  /** Told when the stage says how far it is. */
  readonly progressed?: (progress: Progress) => void;
}

/** A context over plain data; `record` takes what the stage does with it. */
function contextOf<I extends Inputs, O extends Outputs, P>(
  outputs: O,
  input: StageContext<I, O, P>["input"],
  parameters: P,
  conditions: Conditions,
) {
  const {
    seed = 0,
    workers = 1,
    threads = 1,
    interruptAt = Infinity,
    checkpoint,
    alwaysDue = false,
    scratch,
  } = conditions;
  const record = {
    output: {} as Record<string, Artifact>,
    checkpoints: [] as Uint8Array[],
    budget: { environmentSteps: 0, gradientSteps: 0 },
    progress: [] as Progress[],
    interrupted: false,
  };
  let looks = 0;
  const write = (name: string) => async (content: Uint8Array | WholeFile) => {
    const bytes = content instanceof Uint8Array ? content : await Deno.readFile(content.path);
    if (record.output[name]) throw new Error(`Cannot write output "${name}" twice: each is written once`);
    record.output[name] = await artifact(outputs[name]!, bytes);
  };
  const context: StageContext<I, O, P> = {
    input,
    output: Object.fromEntries(
      Object.keys(outputs).map((name) => [name, { write: write(name) }]),
    ) as StageContext<I, O, P>["output"],
    parameters,
    seed,
    threads,
    workers,
    interrupted: () => ++looks >= interruptAt,
    interruption: () => new Interruption("Interrupted"),
    progress: (progress) => {
      record.progress.push(progress);
      conditions.progressed?.(progress);
    },
    checkpoint: {
      read: () => Promise.resolve(checkpoint),
      write: (bytes) => Promise.resolve(void record.checkpoints.push(bytes.slice())),
      due: () => alwaysDue,
    },
    scratch: () => scratch ?? Deno.makeTempDirSync({ dir: folder, prefix: "scratch-" }),
    spend: (budget) => {
      const { environmentSteps = 0, gradientSteps = 0 } = budget;
      record.budget.environmentSteps += environmentSteps;
      record.budget.gradientSteps += gradientSteps;
      conditions.spent?.(budget);
    },
    log: () => {},
  };
  return { context, record };
}

/** The context alone, for functions that take one. */
export function bareContext(conditions: Conditions = {}) {
  return contextOf({}, {}, {}, conditions);
}

/**
 * Runs a stage until it ends or is interrupted.
 *
 * @throws {Error} what the stage throws, unless it is the interruption that `conditions` asked for
 */
export async function attempt<I extends Inputs, O extends Outputs, S extends z.ZodType>(
  stage: StageModule<I, O, S>,
  input: StageContext<I, O, z.output<S>>["input"],
  parameters: z.input<S>,
  conditions: Conditions = {},
): Promise<Attempt<O>> {
  const { context, record } = contextOf<I, O, z.output<S>>(
    stage.outputs,
    input,
    stage.parameters.parse(parameters),
    conditions,
  );
  try {
    await stage.run(context);
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    record.interrupted = true;
  }
  return record as Attempt<O>;
}

/** Digests of all outputs, to compare two runs byte for byte. */
export function digests<O extends Outputs>({ output }: Attempt<O>): Record<string, string> {
  return Object.fromEntries(
    Object.entries<Artifact>(output).map(([name, { digest }]) => [name, digest]),
  );
}
