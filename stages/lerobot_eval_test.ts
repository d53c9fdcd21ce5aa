import assert from "node:assert/strict";
import { decodeTable } from "../data/table.ts";
import { evaluationOf, parseEvalInfo } from "./lerobot_eval.ts";

/** As lerobot-eval 0.6.1 writes it, with two episodes of each of two tasks. */
const info = {
  per_task: [
    ["libero_spatial", 0, [true, false]] as const,
    ["libero_spatial", 3, [true, true]] as const,
  ].map(([task_group, task_id, successes]) => ({
    task_group,
    task_id,
    metrics: {
      sum_rewards: successes.map(Number),
      max_rewards: successes.map(Number),
      successes,
      video_paths: ["/somewhere/eval_episode_0.mp4"],
    },
  })),
  per_group: {},
  overall: {
    ...{ avg_sum_reward: 0.75, avg_max_reward: 0.75, pc_success: 75, n_episodes: 4 },
    ...{ eval_s: 12.5, eval_ep_s: 3.1, video_paths: [] },
  },
};

Deno.test("eval_info.json becomes a success table, without times and paths", () => {
  const parsed = parseEvalInfo(JSON.stringify(info));
  assert.ok(!JSON.stringify(parsed).match(/somewhere|eval_s/));
  const table = decodeTable(evaluationOf(parsed));
  assert.deepEqual(table.task, [
    "libero_spatial_0",
    "libero_spatial_0",
    "libero_spatial_3",
    "libero_spatial_3",
  ]);
  assert.deepEqual([...table.index as Int32Array], [0, 1, 0, 1]);
  assert.deepEqual([...table.success as Uint8Array], [1, 0, 1, 1]);
});

Deno.test("what is no eval_info.json, or contradicts itself, is refused in one line", () => {
  const refused = (text: string, message: RegExp) => assert.throws(() => parseEvalInfo(text), { message });
  refused("{", /^Cannot import eval_info\.json: it is no JSON$/);
  refused("{}", /^Cannot import eval_info\.json: per_task: /);
  const wrong = structuredClone(info);
  wrong.overall.pc_success = 50;
  refused(JSON.stringify(wrong), /it says 50 % of 4 episodes, its tasks have 75 % of 4$/);
});
