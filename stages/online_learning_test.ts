import assert from "node:assert/strict";
import type { Normalization } from "../data/normalization.ts";
import { Replay } from "../data/replay.ts";
import type { Learner } from "../engine/learner.ts";
import { Pool } from "../envs/pool.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { bareContext } from "../tests/stage_context.ts";
import { task } from "../tests/tabletop_subjects.ts";
import { everySteps, everyTransitions } from "./learner_calls.ts";
import { curveColumns } from "./learning_curve.ts";
import { OnlineLanes, ZeroBase } from "./online_lanes.ts";
import { learnOnline } from "./online_learning.ts";
import { transitionShapes } from "./transitions.ts";

const scale: Normalization = {
  kind: "z-score",
  n: 1,
  center: Array(31).fill(0),
  scale: Array(31).fill(1),
  clip: 8,
};

/** What an evaluation of the loop below can see of what goes on beside it. */
interface Beside {
  /** Calls of the learner in the weights it is of. */
  readonly weights: Tensors;
  /** Rounds played when it began, and by now. */
  readonly began: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/**
 * A loop whose learner counts its calls in its only weight, with the successes that its evaluations are to find: one
 * lane, a call of the learner every 2 steps, an evaluation every 4.
 */
async function learned(
  successes: readonly number[],
  { selectFrom = 0, loss = 0.5, pipelined = false, beside = async (_: Beside) => {} } = {},
) {
  await using pool = await Pool.open({ suite: "tabletop", lanes: 1, workers: 1 });
  const exploration = { task, seed: 0, first: 0, probing: 0, probingLength: 0 };
  const lanes = await OnlineLanes.open({ pool, base: new ZeroBase(), scale, exploration, size: 1 });
  const learner = {
    state: { "actor/calls": ndarray([1]) } as Tensors,
    update() {
      this.state = { "actor/calls": ndarray([1], Float32Array.of(this.state["actor/calls"]!.data[0]! + 1)) };
      return Promise.resolve({ loss: ndarray([2], Float32Array.of(loss, loss + 1)) });
    },
  };
  const { context, record } = bareContext();
  const replay = new Replay(100, transitionShapes(31));
  let evaluations = 0;
  const acted: number[] = [];
  const result = await learnOnline(context, {
    schedule: {
      steps: 4 * (successes.length - 1),
      lanes: 1,
      iterations: 2,
      calls: everySteps({ interval: 2, episodes: 0 }),
      evaluateEvery: 4,
      evaluationEpisodes: 5,
      selectFrom,
      pipelined,
    },
    lanes,
    method: {
      learner: learner as unknown as Learner,
      acting: ["actor"],
      criticUpdates: 3,
      replay,
      batches: () => ({}),
      round: ({ weights }) => {
        acted.push(weights["actor/calls"]!.data[0]!);
        return lanes.step();
      },
      store: (row) => replay.add({ ...row, reward: [0] }),
      evaluate: async (weights, steps, signal) => {
        const success = successes[evaluations++]!;
        await beside({ weights, began: steps, now: () => acted.length, signal });
        return { success, environmentSteps: 10 };
      },
      beside: (steps) => ({ steps: ndarray([1], Float32Array.of(steps)) }),
    },
  });
  return { ...result, acted, budget: record.budget };
}

Deno.test("learnOnline() returns the best evaluation, of equal ones the last", async () => {
  const { weights: { "actor/calls": calls, steps } } = await learned([0.2, 0.6, 0.6, 0.4]);
  assert.deepEqual([calls!.data[0], steps!.data[0]], [4, 8]);
});

Deno.test("learnOnline() selects among the evaluations from a given step on", async () => {
  const { weights: { "actor/calls": calls, steps } } = await learned([1, 1, 0, 0.5, 0.4], { selectFrom: 7 });
  assert.deepEqual([calls!.data[0], steps!.data[0]], [6, 12]);
});

Deno.test("learnOnline() gives a curve of evaluations with the mean metrics since the one before", async () => {
  const { curve, budget } = await learned([0, 0.2, 1]);
  assert.deepEqual(
    curve.map(({ environment_steps, gradient_steps, success, episodes, loss }) => [
      environment_steps,
      gradient_steps,
      success,
      episodes,
      loss,
    ]),
    [[0, 0, 0, 5, undefined], [4, 12, 0.2, 5, 1], [8, 24, 1, 5, 1]],
  );
  assert.deepEqual([...curveColumns(curve).loss!], [NaN, 1, 1]);
  assert.deepEqual(budget, { environmentSteps: 8 + 3 * 10, gradientSteps: 24 });
});

Deno.test("learnOnline() acts with the newest weights, pipelined with those from before the call under way", async () => {
  const successes = [0, 0.5, 1];
  const [plain, pipelined] = [await learned(successes), await learned(successes, { pipelined: true })];
  assert.deepEqual(plain.acted, [0, 0, 1, 1, 2, 2, 3, 3]);
  assert.deepEqual(pipelined.acted, [0, 0, 0, 0, 1, 1, 2, 2]);
  assert.deepEqual(pipelined.curve, plain.curve, "evaluations see the newest weights either way");
});

Deno.test("learnOnline() pipelined plays on beside an evaluation, which is of the weights of its step", async () => {
  const successes = [0, 0.5, 0.25, 1], total = 12, seen: number[] = [];
  const { curve, weights, budget } = await learned(successes, {
    pipelined: true,
    beside: async ({ weights, began, now }) => {
      for (let waits = 0; now() < Math.min(began + 3, total); waits++) {
        assert.ok(waits < 1000, "no round is played while an evaluation is under way");
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      seen.push(weights["actor/calls"]!.data[0]!);
    },
  });
  const plain = await learned(successes);
  assert.deepEqual(seen, [0, 2, 4, 6]);
  assert.deepEqual({ curve, weights, budget }, {
    curve: plain.curve,
    weights: plain.weights,
    budget: plain.budget,
  });
});

Deno.test("learnOnline() pipelined fails with an evaluation, and ends one under way when something else fails", async () => {
  const lost = new Error("lost");
  await assert.rejects(learned([0, 0, 0], { pipelined: true, beside: () => Promise.reject(lost) }), lost);
  let ended = false;
  const beside = ({ signal }: Beside) =>
    new Promise<void>((_, reject) => {
      signal.addEventListener("abort", () => {
        ended = true;
        reject(signal.reason);
      });
    });
  await assert.rejects(
    learned([0, 0], { pipelined: true, loss: NaN, beside }),
    /^Error: Cannot go on learning/,
  );
  assert.ok(ended);
});

Deno.test("learnOnline() stops at a metric that is no number", async () => {
  await assert.rejects(learned([0, 0], { loss: Infinity }), {
    message: 'Cannot go on learning: "loss" is Infinity after 2 environment steps',
  });
});

Deno.test("everySteps() waits for its episodes and for a call's worth of data", () => {
  const calls = everySteps({ interval: 4, episodes: 2 });
  const at = (steps: number, ended: number, held: number) =>
    calls({ steps, ended, held, stored: held, calls: 0 });
  assert.deepEqual([at(8, 1, 8), at(8, 2, 3), at(8, 2, 4), at(9, 2, 9)], [0, 0, 1, 0]);
});

Deno.test("everyTransitions() owes the updates of all transitions after the start, less the calls made", () => {
  const calls = everyTransitions({ start: 10, updates: 2, perCall: 4 });
  const at = (stored: number, made: number) =>
    calls({ steps: 0, ended: 0, held: stored, stored, calls: made });
  assert.deepEqual([at(3, 0), at(11, 0), at(12, 0), at(13, 1), at(20, 1)], [0, 0, 1, 0, 4]);
});
