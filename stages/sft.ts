/**
 * Supervised fine-tuning by LeRobot itself: writes the configuration, runs `lerobot-train` (or it under `accelerate launch` or
 * `torchrun`), and takes its `pretrained_model/`. Goes on from LeRobot's own last checkpoint after an interruption.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { encodeTable } from "../data/table.ts";
import { packTar } from "../data/tar.ts";
import type { StageContext } from "../lab/stage.ts";
import { atMostOne, place, runBridge, stepColumns, TOKENIZER } from "./lerobot_run.ts";
import { bridge } from "./lerobot_settings.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The data set; the checkpoint it starts from, none for fresh weights; the tokenizer's folder, where the policy needs one. */
export const inputs = { dataset: "dataset", base: "checkpoint[]", tokenizer: "checkpoint[]" } as const;
/** `pretrained_model/`; loss, gradient norm and learning rate by step; LeRobot's configuration of the run. */
export const outputs = { checkpoint: "checkpoint", metrics: "metrics", config: "document" } as const;

const setting = z.union([
  z.number(),
  z.boolean(),
  z.string(),
  z.null(),
  z.array(z.union([z.number(), z.string()])),
]);

/** What the stage is told. */
export const parameters = z.strictObject({
  lerobot: bridge,
  policy: z.string().regex(/^[a-z0-9_]+$/).describe("type of the policy: act, pi0, pi05, smolvla"),
  steps: z.int().min(1).default(30_000).describe("gradient steps"),
  batch: z.int().min(1).default(32).describe("frames of a minibatch, for each process"),
  logEvery: z.int().min(1).default(100).describe("steps between two rows of the metrics, averages over them"),
  saveEvery: z.int().min(1).default(5000).describe("steps between two checkpoints, a multiple of logEvery"),
  dataWorkers: z.int().min(0).max(64).default(4).describe("processes that load data"),
  launch: z.strictObject({
    with: z.enum(["python", "accelerate", "torchrun"]).default("python").describe(
      "what starts the processes",
    ),
    processes: z.int().min(1).max(64).default(1).describe("processes, one a GPU"),
  }).prefault({}),
  settings: z.record(z.string().regex(/^[a-z_]+(\.[a-z_0-9]+)*$/), setting).default({})
    .describe('LeRobot\'s further settings by dotted name, e.g. {"policy.chunk_size": 10}'),
}).refine(
  ({ logEvery, saveEvery }) => saveEvery % logEvery === 0,
  "saveEvery must be a multiple of logEvery",
);

/** Parsed parameters. */
export type Parameters = z.output<typeof parameters>;

const CONFIG = "train.json", RUN = "run";

/** Trains. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, Parameters>,
): Promise<void> {
  const { parameters: p, input } = context;
  const folder = context.scratch();
  const base = atMostOne(input.base, "base"), tokenizer = atMostOne(input.tokenizer, "tokenizer");
  place(input.dataset, join(folder, "data"));
  if (base) place(base, join(folder, "base"));
  if (tokenizer) {
    Deno.mkdirSync(join(folder, TOKENIZER, ".."), { recursive: true });
    place(tokenizer, join(folder, TOKENIZER));
  }
  const last = join(RUN, "checkpoints", "last", "pretrained_model");
  const resumed = existsSync(join(folder, last));
  if (!resumed) {
    // An attempt that ended before its first checkpoint left a folder that LeRobot would refuse.
    if (existsSync(join(folder, RUN))) Deno.removeSync(join(folder, RUN), { recursive: true });
    const text = JSON.stringify(configuration(p, { seed: context.seed, base: base !== undefined }), null, 2);
    Deno.writeTextFileSync(join(folder, CONFIG), text + "\n");
  }
  const told = resumed
    ? [`--config_path=${last}/train_config.json`, "--resume=true"]
    : [`--config_path=${CONFIG}`, ...base ? policyFlags(p) : []];
  let done = 0;
  await runBridge(context, {
    args: [
      ...launcher(p),
      "lerobot_bridge.train",
      ...told,
    ],
    folder,
    lerobot: p.lerobot,
    heard: ({ step, loss }) => {
      if (typeof step !== "number") return;
      done = step;
      context.progress({ done, total: p.steps, unit: "steps", note: `loss ${Number(loss).toPrecision(4)}` });
    },
  });
  const made = join(folder, last);
  if (!existsSync(join(made, "model.safetensors"))) {
    throw new Error(`Cannot take the checkpoint of ${p.policy}: LeRobot ended without writing one`);
  }
  context.spend({ gradientSteps: p.steps });
  await context.output.metrics.write(encodeTable(stepColumns(folder, ["loss", "grad_norm", "lr"])));
  await context.output.config.write(Deno.readFileSync(join(made, "train_config.json")));
  const packed = join(folder, "checkpoint.tar");
  if (existsSync(packed)) Deno.removeSync(packed);
  packTar(made, packed);
  await context.output.checkpoint.write({ path: packed });
}

/** What starts `lerobot_bridge.train`, as arguments to Python. */
export function launcher({ launch: { with: by, processes } }: Pick<Parameters, "launch">): string[] {
  switch (by) {
    case "python":
      if (processes > 1) {
        throw new RangeError(
          `Cannot start ${processes} processes with python: launch.with accelerate or torchrun`,
        );
      }
      return ["-m"];
    case "torchrun":
      return ["-m", "torch.distributed.run", "--standalone", `--nproc_per_node=${processes}`, "-m"];
    case "accelerate": {
      const many = processes > 1 ? ["--multi_gpu"] : [];
      return ["-m", "accelerate.commands.launch", `--num_processes=${processes}`, ...many, "-m"];
    }
  }
}

/** LeRobot's configuration, for `--config_path`. With a base its `policy` comes as flags, as LeRobot wants it. */
export function configuration(
  p: Parameters,
  { seed, base }: { readonly seed: number; readonly base: boolean },
): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(p.settings)) {
    if (!(base && name.startsWith("policy."))) put(config, name, value);
  }
  const ours: Record<string, unknown> = {
    "dataset.repo_id": "local/data",
    "dataset.root": "data",
    "output_dir": RUN,
    "job_name": "sft",
    "seed": seed,
    "steps": p.steps,
    "batch_size": p.batch,
    "log_freq": p.logEvery,
    "save_freq": p.saveEvery,
    "num_workers": p.dataWorkers,
    "env_eval_freq": 0,
    "cudnn_deterministic": true,
    "wandb.enable": false,
    ...base ? {} : policySettings(p),
  };
  for (const [name, value] of Object.entries(ours)) put(config, name, value);
  return config;
}

const policySettings = ({ policy, lerobot }: Parameters) => ({
  "policy.type": policy,
  "policy.device": lerobot.device,
  "policy.push_to_hub": false,
});

function policyFlags(p: Parameters): string[] {
  const { "policy.type": _, ...ours } = policySettings(p);
  const given = Object.entries(p.settings).filter(([name]) => name.startsWith("policy."));
  return [
    "--policy.path=base",
    ...[...given, ...Object.entries(ours)].map(([name, value]) => `--${name}=${value}`),
  ];
}

function put(config: Record<string, unknown>, name: string, value: unknown): void {
  const path = name.split(".");
  const last = path.pop()!;
  let inside = config;
  for (const part of path) inside = (inside[part] ??= {}) as Record<string, unknown>;
  inside[last] = value;
}
