/**
 * Offline chunk-level RL, step 2: the advantage of every executed chunk, A = min_i Q̄_i(s, a) - V(s), and what weights
 * min(exp(β A), cap) would make of them: whether weighting can matter at all.
 */
import { z } from "zod";
import { quantile } from "../data/quantile.ts";
import { decodeSafetensors } from "../data/safetensors.ts";
import { encodeTable } from "../data/table.ts";
import { Session } from "../engine/session.ts";
import type { StageContext } from "../lab/stage.ts";
import { ndarray } from "../ndarray.ts";
import { shapesOf } from "../nn/weights.ts";
import * as iql from "../rl/iql.ts";
import { type ChunkData, chunkData, chunkStates, readScale } from "./chunk_data.ts";
import { readEpisodes } from "./stored_episodes.ts";

/** Where the stage's code starts. */
export const entry = import.meta.url;
/** Critics, V and the units of their states; rollouts; demonstrations, which may be none. */
export const inputs = {
  critic: "weights",
  scale: "normalization",
  episodes: "episodes[]",
  demonstrations: "episodes[]",
} as const;
/**
 * One row a control step of the rollouts, then of the demonstrations: valid (0 or 1), q, v, advantage; and one row a β
 * about the rollouts' valid chunks: what they are, their advantages, the weights.
 */
export const outputs = { advantages: "metrics", weighting: "metrics" } as const;

/** What the stage is told. */
export const parameters = z.strictObject({
  tasks: z.array(z.string()).min(1).describe("task names, in the order of the critics' one-hot input"),
  learner: iql.hyperparameters.pick({
    horizon: true,
    gamma: true,
    rewardScale: true,
    rewardBias: true,
    ends: true,
    activation: true,
  }),
  betas: z.array(z.number().min(0)).min(1).describe("β whose weights are looked at"),
  cap: z.number().positive().describe("largest weight"),
});

/** Rows in one call of the networks. */
const BATCH = 1024;

/** Scores every chunk. */
export async function run(
  context: StageContext<typeof inputs, typeof outputs, z.output<typeof parameters>>,
): Promise<void> {
  const { input, parameters: { tasks, learner: h, betas, cap } } = context;
  const { tensors: weights } = decodeSafetensors(await Deno.readFile(input.critic.path));
  const scale = await readScale(input.scale);
  const rolled = await readEpisodes(input.episodes);
  const episodes = [...rolled, ...await readEpisodes(input.demonstrations)];
  const data = chunkData(episodes, { states: chunkStates(episodes, tasks, scale), form: h });
  const [, horizon, action] = data.chunks.shape as [number, number, number];
  const sizes = { batch: BATCH, state: scale.center.length, chunk: horizon * action };
  await using session = await Session.create(iql.advantageProgram(shapesOf(weights), sizes, h), {
    threads: context.threads,
  });
  const { q, v } = await values(session, weights, data, sizes);
  const advantage = q.map((x, i) => x - v[i]!);
  const valid = new Uint8Array(q.length);
  for (const row of data.valid) valid[row] = 1;
  await context.output.advantages.write(encodeTable({ valid, q, v, advantage }));

  const rows: { advantage: number; success: boolean }[] = [];
  let at = 0;
  for (const { length, success } of rolled) {
    for (let t = 0; t < length; t++, at++) if (valid[at]) rows.push({ advantage: advantage[at]!, success });
  }
  const sorted = Float64Array.from(rows, (row) => row.advantage).sort();
  const mean = sorted.reduce((sum, x) => sum + x, 0) / sorted.length;
  const deviation = Math.sqrt(sorted.reduce((sum, x) => sum + (x - mean) ** 2, 0) / sorted.length);
  const successes = rolled.filter(({ success }) => success).length;
  const spread = betas.map((beta) => spreadOf(rows, beta, cap));
  context.log(
    `${successes} of ${rolled.length} rollouts succeeded; advantages deviate by ${deviation.toFixed(3)}`,
  );
  const each = (value: number) => Float64Array.from(betas, () => value);
  await context.output.weighting.write(encodeTable({
    beta: Float64Array.from(betas),
    rollouts: each(rolled.length),
    successes: each(successes),
    chunks: each(sorted.length),
    advantage_deviation: each(deviation),
    advantage_low: each(quantile(sorted, 0.05)),
    advantage_high: each(quantile(sorted, 0.95)),
    cut: Float64Array.from(spread, (s) => s.cut),
    effective: Float64Array.from(spread, (s) => s.effective),
    success_share: Float64Array.from(spread, (s) => s.successShare),
  }));
}

async function values(
  session: Session,
  weights: Parameters<Session["run"]>[0],
  { states, chunks }: ChunkData,
  { state: width, chunk: size }: { readonly state: number; readonly chunk: number },
): Promise<{ q: Float32Array; v: Float32Array }> {
  const count = states.shape[0]!;
  const networks = Object.fromEntries(
    Object.entries(weights).filter(([name]) => !name.startsWith("critic/")),
  );
  const q = new Float32Array(count), v = new Float32Array(count);
  for (let from = 0; from < count; from += BATCH) {
    const state = ndarray([BATCH, width]), chunk = ndarray([BATCH, size]);
    state.data.set(states.data.subarray(from * width, (from + BATCH) * width));
    chunk.data.set(chunks.data.subarray(from * size, (from + BATCH) * size));
    const out = await session.run({ ...networks, state, chunk });
    q.set(out.q!.data.subarray(0, count - from), from);
    v.set(out.v!.data.subarray(0, count - from), from);
  }
  return { q, v };
}

/**
 * What weights w = min(exp(β A), cap) make of the rows: the share at the cap; how many even rows would scatter as much,
 * (Σ w)² / Σ w² over their number; and the share of all weight on chunks of successes.
 */
export function spreadOf(
  rows: readonly { readonly advantage: number; readonly success: boolean }[],
  beta: number,
  cap: number,
): { cut: number; effective: number; successShare: number } {
  let sum = 0, squares = 0, success = 0, cut = 0;
  for (const row of rows) {
    const w = Math.min(Math.exp(beta * row.advantage), cap);
    sum += w;
    squares += w * w;
    if (row.success) success += w;
    if (w === cap) cut++;
  }
  return {
    cut: cut / rows.length,
    effective: sum ** 2 / squares / rows.length,
    successShare: success / sum,
  };
}
