import assert from "node:assert/strict";
import type { Normalization } from "../data/normalization.ts";
import type { Episode } from "../data/episode.ts";
import { residualState } from "../policies/features.ts";
import { recorded, task } from "../tests/tabletop_subjects.ts";
import { observationAt } from "./recording.ts";
import { offlineReplay, stateScale } from "./transitions.ts";

const execute = 3, reward = { gamma: 0.9, rewardScale: 10, rewardBias: -0.5 };
const episodes = [await recorded(7), await recorded(1, { index: 1 }), await recorded(5, { index: 2 })];

/** The learner's state before step `t`, unnormalised. */
function raw(episode: Episode, t: number): number[] {
  return [...residualState(observationAt(episode, t), task, (t % execute) / execute)];
}

function normalized({ center, scale, clip }: Normalization, values: readonly number[]): number[] {
  return values.map((x, d) => Math.fround(Math.max(-clip!, Math.min(clip!, (x - center[d]!) / scale[d]!))));
}

Deno.test("stateScale() is the mean and the standard deviation of all states, with a floor and a bound", () => {
  const scale = stateScale(episodes, execute);
  const states = episodes.flatMap((e) => Array.from({ length: e.length }, (_, t) => raw(e, t)));
  assert.equal(scale.n, 13);
  assert.equal(scale.clip, 8);
  scale.center.forEach((center, d) => {
    const mean = states.reduce((sum, s) => sum + s[d]!, 0) / 13;
    const deviation = Math.sqrt(states.reduce((sum, s) => sum + (s[d]! - mean) ** 2, 0) / 13);
    assert.ok(Math.abs(center - mean) < 1e-9);
    assert.ok(Math.abs(scale.scale[d]! - Math.max(1e-2, deviation)) < 1e-9);
  });
  const phase = scale.center.at(-1)!; // 0, 1/3, 2/3, 0, ... of 7, 1 and 5 steps
  assert.ok(Math.abs(phase - (2 + 0 + 4 / 3) / 13) < 1e-6);
});

Deno.test("offlineReplay() chains the steps of each episode and ends it with its success", () => {
  const scale = stateScale(episodes, execute);
  const { state, base, action, reward: r, terminated, nextState, nextBase, returnToGo } = offlineReplay(
    episodes,
    {
      scale,
      execute,
      reward,
    },
  ).rows();
  const wanted = episodes.flatMap((e) =>
    Array.from({ length: e.length }, (_, t) => {
      const last = t === e.length - 1, next = last ? t : t + 1;
      const actionAt = (i: number) => [...e.columns.action!.data.slice(7 * i, 7 * (i + 1))];
      let future = 0;
      for (let k = e.length - 1; k >= t; k--) {
        future = (k === e.length - 1 ? reward.rewardScale : 0) + reward.rewardBias + reward.gamma * future;
      }
      return {
        state: normalized(scale, raw(e, t)),
        action: actionAt(t),
        reward: (last ? reward.rewardScale : 0) + reward.rewardBias,
        terminated: Number(last),
        nextState: normalized(scale, raw(e, next)),
        nextBase: actionAt(next),
        returnToGo: Math.fround(future),
      };
    })
  );
  assert.deepEqual([...state!.data], wanted.flatMap((row) => row.state));
  assert.deepEqual([...action!.data], wanted.flatMap((row) => row.action));
  assert.deepEqual(base!.data, action!.data);
  assert.deepEqual([...r!.data], wanted.map((row) => row.reward));
  assert.deepEqual([...terminated!.data], wanted.map((row) => row.terminated));
  assert.deepEqual([...nextState!.data], wanted.flatMap((row) => row.nextState));
  assert.deepEqual([...nextBase!.data], wanted.flatMap((row) => row.nextBase));
  assert.deepEqual([...returnToGo!.data], wanted.map((row) => row.returnToGo));
});

Deno.test("offlineReplay() refuses a failure", async () => {
  const failed = [...episodes, await recorded(2, { index: 3, success: false })];
  assert.throws(() => offlineReplay(failed, { scale: stateScale(failed, execute), execute, reward }), {
    message: `Cannot use a failed episode of "${task.name}" as offline data: keep successes`,
  });
});
