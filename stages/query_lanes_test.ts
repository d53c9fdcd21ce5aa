import assert from "node:assert/strict";
import type { Lanes, Observation } from "../envs/environment.ts";
import { ndarray } from "../ndarray.ts";
import type { ChunkPolicy } from "../policies/chunk_policy.ts";
import { steeringNoise } from "../rl/steering_noise.ts";
import { assertClose } from "../tests/fixtures/numerics.ts";
import { task, tasks } from "../tests/tabletop_subjects.ts";
import { QueryLanes } from "./query_lanes.ts";
import type { Row } from "./recording.ts";
import { SteeredBase, type Steering } from "./steered_base.ts";

const EXECUTE = 4, HORIZON = 6, GAMMA = 0.9;

/** How an episode of the hand-made world ends: after `steps` control steps, by success or by its budget. */
interface Ending {
  readonly steps: number;
  readonly success: boolean;
}

const at = (episode: number, t: number): Observation => {
  const object = {
    position: Float64Array.of(episode, t, 0),
    quaternion: Float64Array.of(1, 0, 0, 0),
    velocity: new Float64Array(6),
  };
  return {
    proprioception: Float64Array.of(episode, t, 0, 0, 0, 0, 0, 0),
    rotation: Float64Array.of(1, 0, 0, 0, -1, 0, 0, 0, -1),
    velocity: new Float64Array(6),
    gripper: 0,
    objects: Object.fromEntries(task.objects.map((name) => [name, object])),
  };
};

/** A world whose episodes end as told; what is seen names the episode and the control step. */
function world(endings: readonly Ending[]) {
  const lanes: { episode: number; t: number }[] = [];
  const actions: number[][] = [];
  const pool: Lanes = {
    reset: (lane, _, { index }, replay) => {
      lanes[lane] = { episode: index, t: (replay?.length ?? 0) / 7 };
      return Promise.resolve(at(index, lanes[lane].t));
    },
    step: (given) =>
      Promise.resolve(given.map((action, i) => {
        const lane = lanes[i]!;
        actions.push([...action!]);
        lane.t++;
        const { steps, success } = endings[lane.episode]!;
        const over = lane.t === steps;
        return {
          observation: at(lane.episode, lane.t),
          success: over && success,
          terminated: over && success,
          truncated: over && !success,
        };
      })),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { pool, actions };
}

/** Chunks whose row h is h + the first number of the noise's row, in all dimensions. */
const policy: ChunkPolicy = {
  batch: 1,
  sizes: { features: 20 },
  horizon: HORIZON,
  execute: EXECUTE,
  sample: (_, noise) => {
    const chunk = ndarray([1, HORIZON, 7]);
    for (let h = 0; h < HORIZON; h++) {
      chunk.data.fill(h + noise.data[h * 7]!, h * 7, (h + 1) * 7);
    }
    return Promise.resolve(chunk);
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** Sees the episode and the control step; counts its queries in w: 100, 200, ... */
function counting(): Steering {
  let queries = 0;
  return {
    observe: ({ observation: { proprioception } }) => ({
      state: Float32Array.from(proprioception.slice(0, 2)),
    }),
    choose: (_, draws) => {
      const w = ndarray(draws.shape);
      w.data.fill(100 * ++queries);
      return Promise.resolve(w);
    },
  };
}

async function lanesOf(endings: readonly Ending[], snapshot?: Record<string, ReturnType<typeof ndarray>>) {
  const { pool, actions } = world(endings);
  const noise = steeringNoise.parse({});
  const base = new SteeredBase(policy, { noise, seed: 0, tasks, steering: counting() });
  const lanes = await QueryLanes.open({
    pool,
    base,
    task,
    first: 0,
    size: 1,
    gamma: GAMMA,
    ...(snapshot ? { snapshot } : {}),
  });
  return { lanes, actions };
}

/** The transitions of so many rounds, and after which round each came. */
async function played(endings: readonly Ending[], rounds: number) {
  const { lanes, actions } = await lanesOf(endings);
  const transitions: { round: number; row: Row }[] = [], ended: boolean[] = [];
  for (let round = 1; round <= rounds; round++) {
    const { transitions: rows, ended: outcomes } = await lanes.step();
    for (const row of rows) transitions.push({ round, row });
    ended.push(...outcomes);
  }
  return { transitions, ended, actions };
}

const brief = ({ round, row }: { round: number; row: Row }) => ({
  round,
  from: [...row.state as Float32Array],
  to: [...row.nextState as Float32Array],
  w: row.w![0],
  terminated: row.terminated![0],
  truncated: row.truncated![0],
});

Deno.test("success inside a chunk ends the transition there, with the steps really executed", async () => {
  const { transitions, ended } = await played([{ steps: 6, success: true }, { steps: 9, success: false }], 6);
  assert.deepEqual(transitions.map(brief), [
    { round: 4, from: [0, 0], to: [0, 4], w: 100, terminated: 0, truncated: 0 },
    { round: 6, from: [0, 4], to: [0, 6], w: 200, terminated: 1, truncated: 0 },
  ]);
  assertClose(
    transitions.map(({ row }) => row.discount![0]!),
    [GAMMA ** 4, GAMMA ** 2],
    1e-12,
    "gamma^k",
  );
  assert.deepEqual(ended, [true]);
});

Deno.test("a time-out at a chunk's end is truncated, not terminated, and leads to the state it saw", async () => {
  const { transitions, ended } = await played([{ steps: 4, success: false }, { steps: 9, success: true }], 5);
  assert.deepEqual(transitions.map(brief), [
    { round: 4, from: [0, 0], to: [0, 4], w: 100, terminated: 0, truncated: 1 },
  ]);
  assertClose(transitions[0]!.row.discount as number[], [GAMMA ** 4], 1e-12, "gamma^k");
  assert.deepEqual(ended, [false]);
});

Deno.test("an episode shorter than a chunk is one transition, and the next one starts with a query of its own", async () => {
  const { transitions, actions } = await played(
    [{ steps: 2, success: false }, { steps: 9, success: true }],
    6,
  );
  assert.deepEqual(transitions.map(brief), [
    { round: 2, from: [0, 0], to: [0, 2], w: 100, terminated: 0, truncated: 1 },
    { round: 6, from: [1, 0], to: [1, 4], w: 200, terminated: 0, truncated: 0 },
  ]);
  assertClose(transitions[0]!.row.discount as number[], [GAMMA ** 2], 1e-12, "gamma^k");
  assert.deepEqual(actions.map(([first]) => first), [100, 101, 200, 201, 202, 203]);
});

Deno.test("a transition holds what the base saw, and the part of the chunk that a query executes", async () => {
  const { transitions } = await played([{ steps: 9, success: true }], 4);
  const { row } = transitions[0]!;
  assert.deepEqual([...row.features as Float32Array].slice(0, 2), [0, 0]);
  assert.deepEqual([...row.nextFeatures as Float32Array].slice(0, 2), [0, 4]);
  assert.deepEqual([...row.action as Float32Array], [100, 101, 102, 103].flatMap((x) => Array(7).fill(x)));
});

Deno.test("lanes continue from a snapshot in the middle of a chunk and between two", async () => {
  const endings = [{ steps: 7, success: true }, { steps: 5, success: false }, { steps: 9, success: true }];
  for (const interrupted of [1, 4, 6, 7, 9]) {
    const { lanes } = await lanesOf(endings);
    for (let round = 0; round < interrupted; round++) await lanes.step();
    const { lanes: again } = await lanesOf(endings, lanes.snapshot());
    assert.equal(again.episodes, lanes.episodes);
    // The restored steering starts to count again: whatever comes before its first query is equal.
    const [a, b] = [await lanes.step(), await again.step()];
    assert.deepEqual(b.ended, a.ended);
    assert.equal(b.transitions.length, a.transitions.length, `after round ${interrupted}`);
    a.transitions.forEach((row, i) => {
      const { w: _, action: __, ...rest } = row, { w: ___, action: ____, ...other } = b.transitions[i]!;
      assert.deepEqual(other, rest);
    });
  }
});
