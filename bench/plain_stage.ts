/** Stages without a lab, for benchmarks: outputs go to a folder, and whoever times them sees what they report. */
import { createHash } from "node:crypto";
import type { z } from "zod";
import {
  type Artifact,
  type Budget,
  type Inputs,
  mediaTypes,
  type Outputs,
  type Progress,
  type StageContext,
  type StageModule,
} from "../lab/stage.ts";

/** How a stage is run. */
export interface Conditions {
  /** Where outputs go. */
  readonly folder: string;
  /** Environment workers; 2 unless said. */
  readonly workers?: number;
  /** Threads of an operator; 2, as in the lab, unless said. */
  readonly threads?: number;
  /** Told when the stage spends something. */
  readonly spent?: (budget: Partial<Budget>) => void;
  /** Told when the stage reports how far it is. */
  readonly progressed?: (progress: Progress) => void;
}

/** Runs a stage to its end, with seed 0 and without checkpoints; its outputs by name. */
export async function runStage<I extends Inputs, O extends Outputs, S extends z.ZodType>(
  stage: StageModule<I, O, S>,
  input: StageContext<I, O, z.output<S>>["input"],
  parameters: z.input<S>,
  { folder, workers = 2, threads = 2, spent = () => {}, progressed = () => {} }: Conditions,
): Promise<{ readonly [N in keyof O]: Artifact }> {
  const written: Record<string, Artifact> = {};
  const taker = (name: string, kind: O[keyof O]) => ({
    write: async (content: Parameters<StageContext<I, O, unknown>["output"][keyof O]["write"]>[0]) => {
      const bytes = content instanceof Uint8Array ? content : await Deno.readFile(content.path);
      const hex = createHash("sha256").update(bytes).digest("hex");
      const path = `${folder}/${hex}`;
      await Deno.writeFile(path, bytes);
      written[name] = { path, digest: `sha256:${hex}`, bytes: bytes.length, mediaType: mediaTypes[kind] };
    },
  });
  const takers = Object.entries(stage.outputs).map(([name, kind]) => [name, taker(name, kind as O[keyof O])]);
  await stage.run({
    input,
    output: Object.fromEntries(takers) as StageContext<I, O, unknown>["output"],
    parameters: stage.parameters.parse(parameters),
    seed: 0,
    threads,
    workers,
    interrupted: () => false,
    interruption: () => new Error("Interrupted"),
    progress: progressed,
    checkpoint: { read: () => Promise.resolve(undefined), write: () => Promise.resolve(), due: () => false },
    scratch: () => Deno.makeTempDirSync({ dir: folder }),
    spend: spent,
    log: () => {},
  });
  return written as { readonly [N in keyof O]: Artifact };
}
