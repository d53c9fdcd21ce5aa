/** LeRobot data sets at both ends of an experiment: as demonstrations, and as what hybrid data are handed on as. */
import { z } from "zod";
import { type AddStage, given, type Handle } from "../../lab/experiment.ts";
import * as demonstrate from "../../stages/demonstrate.ts";
import * as readLerobot from "../../stages/read_lerobot.ts";
import type { WorldSettings } from "../../stages/world.ts";
import * as writeLerobot from "../../stages/write_lerobot.ts";

/** Hyperparameters of both; by default neither happens, and no stage is another. */
export const lerobot = z.strictObject({
  demonstrations: z.string().regex(/^$|^(sha256:)?[0-9a-f]{64}$/, "expected 64 hexadecimal digits").default(
    "",
  )
    .describe("digest of a data set that exp data import took in; empty: the scripted expert demonstrates"),
  export: z.boolean().default(false).describe(
    "also writes the hybrid episodes as a data set, exp data export unpacks it",
  ),
  cameras: z.array(z.string().regex(/^\w+$/)).max(4).default([])
    .describe("cameras whose pictures that data set holds, rendered by replay; empty: states only"),
  pixels: z.int().min(8).max(512).default(64).describe("width and height of the pictures"),
});

/** Demonstrations of a task: from the data set that is named, or by the scripted expert. */
export function demonstrationsOf(
  stage: AddStage,
  { digest, seed, name, world, task, episodes, lanes }: {
    readonly digest: string;
    readonly seed: number;
    readonly name: string;
    readonly world: WorldSettings;
    readonly task: string;
    readonly episodes: number;
    readonly lanes: number;
  },
): Handle<"episodes"> {
  const asked = { world, task, episodes };
  const made = digest === ""
    ? stage(demonstrate, {}, { ...asked, first: 0, lanes: Math.min(8, lanes) }, { name, seed })
    : stage(readLerobot, { dataset: given("dataset", digest) }, asked, { name, seed: 0 });
  return made.episodes;
}

/** The stage that writes hybrid episodes as a data set, where that is asked for. */
export function exportHybrid(
  stage: AddStage,
  { settings, world, lanes, name, made, hybrid, policy, specialists }: {
    readonly settings: z.output<typeof lerobot>;
    readonly world: WorldSettings;
    readonly lanes: number;
    readonly name: string;
    readonly made: Readonly<Record<string, number | string>>;
    readonly hybrid: readonly Handle<"episodes">[];
    readonly policy: Handle<"weights">;
    readonly specialists: readonly { readonly weights: Handle<"weights"> }[];
  },
): void {
  if (!settings.export) return;
  const { cameras, pixels } = settings;
  const shown = cameras.map((name) => ({ name, width: pixels, height: pixels }));
  // Which of the world's cameras there are, the stage's own schema says.
  const seen = (cameras.length > 0 ? { ...world, cameras: shown } : world) as WorldSettings;
  const residuals = specialists.map(({ weights }) => weights);
  const inputs = { hybrid, demonstrations: [], advantages: [], policy: [policy], residuals, checkpoint: [] };
  stage(writeLerobot, inputs, { world: seen, lanes, made }, { name, seed: 0 });
}
