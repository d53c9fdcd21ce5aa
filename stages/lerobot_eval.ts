/**
 * Evaluation by LeRobot itself: runs `lerobot-eval` and imports its eval_info.json. The episodes are LeRobot's, reset by seeds that
 * count up from the stage's; they do not pair with those of our own evaluations.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { encodeTable } from "../data/table.ts";
import type { StageContext } from "../lab/stage.ts";
import { atMostOne, place, runBridge } from "./lerobot_run.ts";
import { bridge } from "./lerobot_settings.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** The policy, and its tokenizer's folder where its processor names one by a relative path. */
export const inputs = { checkpoint: "checkpoint", tokenizer: "checkpoint[]" } as const;
/** The success table; eval_info.json without times and paths. */
export const outputs = { evaluation: "evaluation", info: "document" } as const;

const setting = z.union([z.number(), z.boolean(), z.string()]);

/** What the stage is told. */
export const parameters = z.strictObject({
  lerobot: bridge,
  environment: z.string().regex(/^[a-z0-9_]+$/).describe(
    "LeRobot's type of environment: libero, aloha, pusht",
  ),
  episodes: z.int().min(1).max(1000).default(50).describe("episodes of each task"),
  batch: z.int().min(1).max(64).default(1).describe("environments stepped together, at most episodes"),
  settings: z.record(z.string().regex(/^[a-z_]+(\.[a-z_0-9]+)*$/), setting).default({})
    .describe('LeRobot\'s further settings by dotted name, e.g. {"env.task": "libero_spatial"}'),
});

/** Evaluates. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { parameters: p, input } = context;
  if (p.batch > p.episodes) {
    throw new Error(
      `Cannot step ${p.batch} environments together for ${p.episodes} episodes: at most as many`,
    );
  }
  const folder = context.scratch();
  const tokenizer = atMostOne(input.tokenizer, "tokenizer");
  place(input.checkpoint, join(folder, "policy"));
  if (tokenizer) place(tokenizer, join(folder, "tokenizer"));
  if (existsSync(join(folder, "run"))) Deno.removeSync(join(folder, "run"), { recursive: true });
  const flags: Record<string, unknown> = {
    ...p.settings,
    "policy.path": "policy",
    "policy.device": p.lerobot.device,
    "env.type": p.environment,
    "eval.n_episodes": p.episodes,
    "eval.batch_size": p.batch,
    "output_dir": "run",
    "seed": context.seed,
  };
  await runBridge(context, {
    args: [
      ...["-m", "lerobot_bridge.evaluate"],
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    ],
    folder,
    lerobot: p.lerobot,
    heard: () => {},
  });
  const path = join(folder, "run", "eval_info.json");
  if (!existsSync(path)) {
    throw new Error("Cannot import eval_info.json: lerobot-eval ended without writing one");
  }
  const info = parseEvalInfo(Deno.readTextFileSync(path));
  await context.output.evaluation.write(evaluationOf(info));
  await context.output.info.write(new TextEncoder().encode(JSON.stringify(info, null, 2) + "\n"));
}

const finite = z.number();
const infoSchema = z.object({
  per_task: z.array(z.object({
    task_group: z.string(),
    task_id: z.int().min(0),
    metrics: z.object({
      sum_rewards: z.array(finite),
      max_rewards: z.array(finite),
      successes: z.array(z.boolean()).min(1),
    }),
  })).min(1),
  overall: z.object({ pc_success: finite, n_episodes: z.int().min(1) }),
});

/** What is kept of eval_info.json: every episode of every task. */
export type EvalInfo = z.output<typeof infoSchema>;

/**
 * Reads eval_info.json; times and paths of videos are left out.
 *
 * @throws {SyntaxError} when it is none, or its totals are not those of its episodes
 */
export function parseEvalInfo(text: string): EvalInfo {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new SyntaxError("Cannot import eval_info.json: it is no JSON");
  }
  const { success, data, error } = infoSchema.safeParse(document);
  if (!success) {
    const [{ path, message }] = error.issues as [z.core.$ZodIssue];
    throw new SyntaxError(`Cannot import eval_info.json: ${path.join(".")}: ${message}`);
  }
  const all = data.per_task.flatMap(({ metrics }) => metrics.successes);
  const percent = 100 * all.filter(Boolean).length / all.length;
  const { pc_success, n_episodes } = data.overall;
  if (all.length !== n_episodes || Math.abs(percent - pc_success) > 0.01) {
    throw new SyntaxError(
      `Cannot import eval_info.json: it says ${pc_success} % of ${n_episodes} episodes, its tasks have ` +
        `${percent} % of ${all.length}`,
    );
  }
  return data;
}

/** One row an episode: task ("libero_spatial_3"), number of the episode, success. LeRobot tells no lengths: they are 0. */
export function evaluationOf({ per_task }: EvalInfo): Uint8Array {
  const rows = per_task.flatMap(({ task_group, task_id, metrics: { successes } }) =>
    successes.map((success, index) => ({ task: `${task_group}_${task_id}`, index, success }))
  );
  return encodeTable({
    task: rows.map(({ task }) => task),
    index: Int32Array.from(rows, ({ index }) => index),
    noise: new Int32Array(rows.length),
    success: Uint8Array.from(rows, ({ success }) => Number(success)),
    length: new Int32Array(rows.length),
  });
}
