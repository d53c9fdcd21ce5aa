/**
 * CFG-Flow or weighted flow matching on a LeRobot pi0 or pi0.5 (python/lerobot_bridge/flow_train.py): the loss of rl/cfg_flow.ts,
 * or of rl/awr.ts, with weights that the data set carries in columns. Goes on from its own last checkpoint after an interruption.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { encodeTable } from "../data/table.ts";
import { packTar } from "../data/tar.ts";
import type { StageContext } from "../lab/stage.ts";
import { optimization } from "../nn/parameter_groups.ts";
import { atMostOne, place, runBridge, stepColumns } from "./lerobot_run.ts";
import { bridge } from "./lerobot_settings.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/**
 * A LeRobot data set with columns `weight` and, for CFG-Flow, `is_positive`; the policy; its tokenizer's folder; statistics
 * (LeRobot's stats.json or openpi's norm_stats.json) that the policy's must match, the data set's own where none are given.
 */
export const inputs = {
  dataset: "dataset",
  base: "checkpoint",
  tokenizer: "checkpoint[]",
  normStats: "document[]",
} as const;
/** `pretrained_model/`, with condition.safetensors beside the weights; the losses by step. */
export const outputs = { checkpoint: "checkpoint", metrics: "metrics" } as const;

/** What the stage is told. */
export const parameters = optimization.omit({ ema: true }).extend({
  lerobot: bridge,
  method: z.enum(["cfg", "weighted"]).default("cfg").describe(
    "cfg: two branches and a condition; weighted: one branch, each sample by its weight",
  ),
  unconditional: z.number().min(0).default(0.1).describe("alpha, weight of the unconditional branch of cfg"),
  header: optimization.shape.header.unwrap().extend({
    weights: z.array(z.string().min(1)).min(1).default(["action_out_proj", "state_proj"])
      .describe("modules whose weights group header holds beside the condition; model holds the rest"),
  }).prefault({}),
  mismatch: z.enum(["refuse", "policy", "given"]).default("refuse")
    .describe("when the statistics differ from the policy's: refuse, keep its own, take the given ones"),
  saveEvery: z.int().min(1).default(500).describe("steps between two checkpoints"),
});

/** Parsed parameters. */
export type Parameters = z.output<typeof parameters>;

/** Trains. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, Parameters>,
): Promise<void> {
  const { parameters: p, input } = context;
  const folder = context.scratch();
  const tokenizer = atMostOne(input.tokenizer, "tokenizer"), stats = atMostOne(input.normStats, "normStats");
  place(input.dataset, join(folder, "data"));
  place(input.base, join(folder, "base"));
  if (tokenizer) place(tokenizer, join(folder, "tokenizer"));
  if (stats) Deno.copyFileSync(stats.path, join(folder, "norm_stats.json"));
  const { lerobot, header: { weights, ...header }, ...rest } = p;
  const settings = {
    ...rest,
    ...{ header, headerWeights: weights, device: lerobot.device, seed: context.seed },
    ...{ dataset: "data", policy: "base", output: "output" },
    tokenizer: tokenizer ? "tokenizer" : null,
    norm_stats: stats ? "norm_stats.json" : null,
  };
  Deno.writeTextFileSync(join(folder, "settings.json"), JSON.stringify(settings, null, 2) + "\n");
  const made = join(folder, "output", "pretrained_model");
  if (!existsSync(made)) {
    await runBridge(context, {
      args: ["-m", "lerobot_bridge.flow_train", "settings.json"],
      folder,
      lerobot,
      heard: ({ step, loss }) => {
        if (typeof step !== "number") return;
        const note = `loss ${Number(loss).toPrecision(4)}`;
        context.progress({ done: step + 1, total: p.steps, unit: "steps", note });
      },
    });
  }
  context.spend({ gradientSteps: p.steps });
  const parts = p.method === "cfg" ? ["conditional", "unconditional"] : [];
  const columns = ["loss", ...parts, "model_gradient_norm", "header_gradient_norm"];
  await context.output.metrics.write(encodeTable(stepColumns(folder, columns)));
  const packed = join(folder, "checkpoint.tar");
  if (existsSync(packed)) Deno.removeSync(packed);
  packTar(made, packed);
  await context.output.checkpoint.write({ path: packed });
}
