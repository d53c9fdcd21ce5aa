/**
 * A random pi0 or pi0.5 of a few thousand weights with its tokenizer, made by the bridge: what experiments with a LeRobot
 * checkpoint run on where there is none. It tells nothing about robots.
 */
import { join } from "node:path";
import { z } from "zod";
import { packTar } from "../data/tar.ts";
import type { StageContext } from "../lab/stage.ts";
import { runBridge } from "./lerobot_run.ts";
import { bridge } from "./lerobot_settings.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Nothing. */
export const inputs = {} as const;
/** The folders `pretrained_model` and of the tokenizer. */
export const outputs = { checkpoint: "checkpoint", tokenizer: "checkpoint" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  lerobot: bridge,
  type: z.enum(["pi0", "pi05"]).describe("type of the policy"),
});

/** Makes both. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { lerobot, type } = context.parameters;
  const folder = context.scratch();
  await runBridge(context, { args: ["-m", "lerobot_bridge.tiny", "made"], folder, lerobot, heard: () => {} });
  const made = join(folder, "made");
  const pack = (from: string, name: string) => {
    const path = join(folder, `${name}.tar`);
    packTar(join(made, from), path);
    return { path };
  };
  await context.output.checkpoint.write(pack(type, "checkpoint"));
  await context.output.tokenizer.write(pack("google/paligemma-3b-pt-224", "tokenizer"));
}
