import assert from "node:assert/strict";
import type { Normalization } from "../data/normalization.ts";
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { Pool } from "../envs/pool.ts";
import { ndarray, type Tensors } from "../ndarray.ts";
import { stream } from "../random.ts";
import { task, tasks, tinyBase } from "../tests/tabletop_subjects.ts";
import { openBase } from "./chunked_base.ts";
import { OnlineLanes, ZeroBase } from "./online_lanes.ts";
import type { Round } from "./training_lanes.ts";

const LANES = 2, SEED = 6, FIRST = 40, BUDGET = task.maxSteps;
const stored = await tinyBase();
const scale: Normalization = {
  kind: "z-score",
  n: 1,
  center: Array(31).fill(0),
  scale: Array(31).fill(1),
  clip: 8,
};

/** The learner's choice in round `t`: small moves, other ones in each lane. */
function chosen(t: number): Float32Array {
  return stream(SEED, "chosen", t).fillUniform(new Float32Array(LANES * 7), -0.3, 0.3);
}

/** Open lanes, with everything the environments are told. */
async function opened({ probing = 0, probingLength = 0.1, snapshot }: {
  probing?: number;
  probingLength?: number;
  snapshot?: Tensors;
} = {}) {
  const pool = await Pool.open({ suite: "tabletop", lanes: LANES, workers: 1 });
  const base = await openBase({ ...stored, lanes: LANES, execute: 4, tasks, seed: SEED });
  const told = { starts: [] as unknown[], actions: [] as number[][][] };
  const { reset, step } = pool;
  pool.reset = (lane, ...rest) => {
    told.starts.push([lane, rest[1].split, rest[1].index]);
    return reset.call(pool, lane, ...rest);
  };
  pool.step = (actions) => {
    told.actions.push(actions.map((action) => [...action!]));
    return step.call(pool, actions);
  };
  const exploration = { task, seed: SEED, first: FIRST, probing, probingLength };
  const lanes = await OnlineLanes.open({
    pool,
    base,
    scale,
    exploration,
    size: LANES,
    ...(snapshot ? { snapshot } : {}),
  });
  const close = async () => {
    await pool[Symbol.asyncDispose]();
    await base[Symbol.asyncDispose]();
  };
  return { lanes, told, [Symbol.asyncDispose]: close };
}

/** Everything that a round shows, and what stands after it. */
async function round(lanes: OnlineLanes, t: number, warm = false): Promise<{ round: Round; after: unknown }> {
  const result = await lanes.step(warm ? undefined : chosen(t));
  return { round: result, after: { states: lanes.states, bases: lanes.bases, episodes: lanes.episodes } };
}

Deno.test("a round executes the learner's actions and stores them beside the base's", async () => {
  await using open = await opened();
  const { lanes, told } = open;
  const { states, bases } = lanes;
  const { transitions, ended } = await lanes.step(chosen(0));
  assert.deepEqual(ended, []);
  assert.equal(transitions.length, LANES);
  transitions.forEach(({ state, base, action, terminated, nextState, nextBase }, lane) => {
    assert.deepEqual(state, states[lane]);
    assert.deepEqual(base, bases[lane]);
    assert.deepEqual(action, chosen(0).slice(7 * lane, 7 * lane + 7));
    assert.deepEqual([...action as Float32Array], told.actions[0]![lane]);
    assert.deepEqual(nextState, lanes.states[lane]);
    assert.deepEqual(nextBase, lanes.bases[lane]);
    assert.deepEqual([...terminated as number[]], [0]);
  });
});

Deno.test("without a learner's actions the base acts: executed and base action are the same", async () => {
  await using open = await opened();
  for (let t = 0; t < 9; t++) {
    const { transitions } = await open.lanes.step();
    for (const { base, action } of transitions) assert.deepEqual(action, base);
    assert.deepEqual(transitions.map(({ action }) => [...action as Float32Array]), open.told.actions[t]);
  }
});

Deno.test("the steps of a probing prefix execute the base's action and are no transitions", async () => {
  await using open = await opened({ probing: 1 });
  const probe = (episode: number) => stream(SEED, "probe", episode).integer(0.1 * BUDGET + 1);
  const prefix = [probe(0), probe(1)];
  assert.ok(prefix.some((length) => length > 0), "the seed gives a prefix");
  for (let t = 0; t < 20; t++) {
    const bases = open.lanes.bases;
    const { transitions } = await open.lanes.step(chosen(t));
    const learns = prefix.map((length) => t >= length);
    assert.equal(transitions.length, learns.filter(Boolean).length, `step ${t}`);
    learns.forEach((learned, lane) => {
      const wanted = learned ? chosen(t).slice(7 * lane, 7 * lane + 7) : bases[lane]!;
      assert.deepEqual(open.told.actions[t]![lane], [...wanted]);
    });
  }
});

Deno.test("only the given share of episodes is probed, none of them evaluation states", async () => {
  await using open = await opened({ probing: 0.5, probingLength: 1 });
  const stored: number[] = [];
  for (let t = 0; t < BUDGET; t++) stored.push((await open.lanes.step(chosen(t))).transitions.length);
  const drawn = [0, 1].map((episode) => {
    const draw = stream(SEED, "probe", episode), length = draw.integer(BUDGET + 1);
    return draw.uniform() < 0.5 ? length : 0;
  });
  assert.equal(
    stored.reduce((a, b) => a + b),
    drawn.reduce((n, probe) => n + BUDGET - Math.min(BUDGET, probe), 0),
  );
  assert.deepEqual(open.told.starts, [[0, "training", 40], [1, "training", 41], [0, "training", 42], [
    1,
    "training",
    43,
  ]]);
});

Deno.test("a truncated step bootstraps from the state it led to, and the next episode starts anew", async () => {
  await using open = await opened();
  const { lanes } = open;
  let before: Round | undefined;
  let snapshot: Tensors = {};
  for (let t = 0; t < BUDGET; t++) {
    if (t === BUDGET - 1) snapshot = lanes.snapshot();
    const result = await lanes.step(chosen(t));
    before?.transitions.forEach(({ nextState, nextBase }, lane) => {
      assert.deepEqual(result.transitions[lane]!.state, nextState);
      assert.deepEqual(result.transitions[lane]!.base, nextBase);
    });
    assert.deepEqual(result.ended, t === BUDGET - 1 ? [false, false] : []);
    before = result;
  }
  assert.equal(lanes.episodes, 2 * LANES);
  before!.transitions.forEach(({ terminated, truncated, nextState, nextBase }, lane) => {
    assert.deepEqual([terminated![0], truncated![0]], [0, 1]);
    // The budget is a whole number of chunks: the next base action is the first of a new one, not more of the old.
    const used = snapshot[`lanes/${lane}/counters`]!.data[1]!;
    assert.equal(used, 3);
    const stale = snapshot[`lanes/${lane}/chunk`]!.data.slice(7 * (used + 1), 7 * (used + 2));
    assert.equal(stale.length, 7);
    assert.notDeepEqual(nextBase, stale);
    assert.notDeepEqual(nextState, lanes.states[lane]);
  });
});

Deno.test("lanes restored from a stored snapshot go on as if never interrupted", async () => {
  await using whole = await opened({ probing: 1 });
  const options: { at: number; snapshot: Tensors }[] = [];
  const seen = [];
  for (let t = 0; t < BUDGET + 6; t++) {
    // Before the first step, inside a prefix and a chunk, at a chunk's end, before and after an episode's.
    if ([0, 3, 20, BUDGET - 2, BUDGET].includes(t)) {
      options.push({ at: t, snapshot: decodeSafetensors(encodeSafetensors(whole.lanes.snapshot())).tensors });
    }
    seen.push(await round(whole.lanes, t));
  }
  for (const { at, snapshot } of options) {
    await using again = await opened({ probing: 1, snapshot });
    for (let t = at; t < Math.min(at + 8, seen.length); t++) {
      assert.deepEqual(await round(again.lanes, t), seen[t], `from step ${at}, at step ${t}`);
    }
  }
});

Deno.test("ZeroBase proposes no motion in any lane, and stores nothing in a snapshot", async () => {
  await using pool = await Pool.open({ suite: "tabletop", lanes: 1, workers: 1 });
  const exploration = { task, seed: SEED, first: FIRST, probing: 0, probingLength: 0 };
  const lanes = await OnlineLanes.open({ pool, base: new ZeroBase(), scale, exploration, size: 1 });
  const { transitions } = await lanes.step(chosen(0).slice(0, 7));
  assert.deepEqual([...transitions[0]!.base as Float32Array], Array(7).fill(0));
  const { "lanes/0/chunk": chunk, "lanes/0/counters": counters } = lanes.snapshot();
  assert.deepEqual(chunk, ndarray([0]));
  assert.deepEqual([...counters!.data], [0, 0, 0]);
});
