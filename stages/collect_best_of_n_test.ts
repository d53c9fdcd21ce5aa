import assert from "node:assert/strict";
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable, numbers } from "../data/table.ts";
import { stream } from "../random.ts";
import { hyperparameters, initializeCritics } from "../rl/chunk_q.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { capableBase, episodesOf, tasks, world } from "../tests/tabletop_subjects.ts";
import { chunkScale } from "./chunk_data.ts";
import * as collectBestOfN from "./collect_best_of_n.ts";
import * as collectRollouts from "./collect_rollouts.ts";
import * as scoreBestOfN from "./score_best_of_n.ts";

const base = await capableBase();
const acting = { world, tasks, execute: 8, lanes: 2 };
const collecting = { ...acting, task: tasks[0]!, episodes: 3, first: 700 };
const rollouts = await attempt(collectRollouts, base, collecting);
const scale = chunkScale(await episodesOf(rollouts.output.episodes), tasks);
const sizes = { state: scale.center.length, chunk: 8 * 7 };
const critics = initializeCritics(
  stream(3, "critics"),
  sizes,
  hyperparameters.parse({ width: 16, layers: 1, activation: "tanh" }),
);
const inputs = {
  ...base,
  critic: await artifact("weights", encodeSafetensors(critics)),
  scale: await artifact("normalization", encodeNormalizations({ state: scale })),
};
const choosing = (candidates: number) => ({ candidates, scoring: { activation: "tanh" as const } });
const collect = (candidates: number, conditions: Conditions = {}) =>
  attempt(collectBestOfN, inputs, { ...collecting, ...choosing(candidates) }, conditions);

Deno.test("the best of 1 collects the very episodes of the policy", async () => {
  assert.deepEqual(digests(await collect(1)).episodes, digests(rollouts).episodes);
});

Deno.test("the best of several collects others, and resumes to the same bytes", async () => {
  const whole = await collect(4);
  assert.notEqual(digests(whole).episodes, digests(rollouts).episodes);
  const episodes = await episodesOf(whole.output.episodes);
  assert.deepEqual(
    episodes.map(({ split, index }) => [split, index]),
    [700, 701, 702].map((i) => ["training", i]),
  );
  assert.equal(whole.budget.environmentSteps, episodes.reduce((sum, { length }) => sum + length, 0));
  const stopped = await collect(4, { interruptAt: 1 });
  assert.ok(stopped.interrupted);
  const resumed = await collect(4, { checkpoint: stopped.checkpoints.at(-1), workers: 2 });
  assert.deepEqual(digests(resumed), digests(whole));
});

Deno.test("score_best_of_n counts the successes of the same episodes", async () => {
  const scored = await attempt(scoreBestOfN, inputs, { ...acting, ...choosing(4), first: 700, states: 3 });
  const table = decodeTable(await Deno.readFile(scored.output.score.path));
  const episodes = await episodesOf((await collect(4)).output.episodes);
  assert.deepEqual([...numbers(table, "success")], [episodes.filter(({ success }) => success).length / 3]);
  assert.deepEqual([...numbers(table, "episodes")], [3]);
});
