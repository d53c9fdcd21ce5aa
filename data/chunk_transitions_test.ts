import assert from "node:assert/strict";
import { ndarray } from "../ndarray.ts";
import { type Stream, stream } from "../random.ts";
import {
  chunkDiscount,
  type ChunkForm,
  chunkTransitions,
  rewardCodes,
  writeChunk,
} from "./chunk_transitions.ts";
import type { Episode } from "./episode.ts";
import { returnToGo, rewards } from "./returns.ts";

const WIDTH = 3;

function episodeOf(length: number, success: boolean, draws: Stream): Episode {
  const action = ndarray([length, WIDTH], draws.fillUniform(new Float32Array(length * WIDTH), -1, 1));
  return {
    task: "task",
    roles: { target: "a", goal: "b" },
    split: "training",
    index: 0,
    success,
    length,
    columns: { action },
    tags: {},
  };
}

/** Random episodes, successes and failures, shorter and longer than chunks. */
function* episodes(count: number): Generator<Episode> {
  const draws = stream(3, "episodes");
  for (let i = 0; i < count; i++) yield episodeOf(1 + draws.integer(14), draws.uniform() < 0.5, draws);
}

const form = (changes: Partial<ChunkForm> = {}): ChunkForm => ({
  horizon: 5,
  gamma: 0.9,
  ...rewardCodes["0/1"],
  ends: "padded",
  ...changes,
});

/** The chain walked step by step: a success leads to a state in which nothing is rewarded and nobody moves. */
function walked(
  episode: Episode,
  t: number,
  { horizon, gamma, rewardScale, rewardBias }: ChunkForm,
  states: number,
) {
  const { length, success, columns: { action } } = episode;
  const chunk: number[] = [];
  let sum = 0, ended = false, seen = true, at = t;
  for (let k = 0; k < horizon; k++) {
    if (at >= length) {
      const gripper = action!.data[(length - 1) * WIDTH + WIDTH - 1]!;
      chunk.push(0, 0, gripper);
      if (!ended) seen = false;
      continue;
    }
    chunk.push(...action!.data.subarray(at * WIDTH, (at + 1) * WIDTH));
    const last = at === length - 1 && success;
    sum += gamma ** k * Math.fround(rewardBias + (last ? rewardScale : 0));
    ended ||= last;
    at++;
  }
  return {
    chunk,
    reward: Math.fround(sum),
    mask: ended ? 0 : 1,
    next: at,
    valid: ended || (seen && at < states),
  };
}

for (const code of ["0/1", "-1/0"] as const) {
  for (const horizon of [1, 2, 5, 20]) {
    Deno.test(`chunks of ${horizon} under ${code} are the chain walked step by step`, () => {
      const f = form({ horizon, ...rewardCodes[code] });
      for (const episode of episodes(60)) {
        for (const states of [episode.length, episode.length + 1]) {
          const cut = chunkTransitions(episode, f, states);
          for (let t = 0; t < episode.length; t++) {
            const wanted = walked(episode, t, f, states);
            const size = horizon * WIDTH;
            assert.deepEqual([...cut.chunks.data.subarray(t * size, (t + 1) * size)], wanted.chunk);
            assert.equal(Boolean(cut.valid[t]), wanted.valid, `t ${t} of ${episode.length}`);
            if (!wanted.valid) continue;
            assert.equal(cut.reward[t], wanted.reward);
            assert.equal(cut.mask[t], wanted.mask);
            if (wanted.mask) assert.equal(cut.next[t], wanted.next);
            assert.ok(cut.next[t]! < states, "a row that is there");
          }
        }
      }
    });
  }
}

Deno.test("h = 1 is one-step TD bit for bit", () => {
  const f = form({ horizon: 1, gamma: 0.99, rewardScale: 7, rewardBias: -0.3 });
  assert.equal(chunkDiscount(f), 0.99);
  for (const episode of episodes(40)) {
    const { length, success } = episode;
    const cut = chunkTransitions(episode, f, length + 1);
    assert.deepEqual(cut.reward, rewards(length, success, 7, -0.3));
    assert.deepEqual(cut.chunks.data, episode.columns.action!.data);
    for (let t = 0; t < length; t++) {
      assert.equal(cut.mask[t], success && t === length - 1 ? 0 : 1);
      assert.equal(cut.next[t], t + 1);
      assert.equal(cut.valid[t], 1);
    }
  }
});

Deno.test("following targets from the end gives the return-to-go of a success", () => {
  for (const code of ["0/1", "-1/0"] as const) {
    const f = form({ horizon: 3, ...rewardCodes[code] });
    for (const episode of [...episodes(40)].filter(({ success }) => success)) {
      const cut = chunkTransitions(episode, f);
      const values = new Float64Array(episode.length);
      for (let t = episode.length - 1; t >= 0; t--) {
        values[t] = cut.reward[t]! +
          chunkDiscount(f) * cut.mask[t]! * (cut.mask[t] ? values[cut.next[t]!]! : 0);
      }
      const wanted = returnToGo(episode.length, true, f.gamma, f.rewardScale, f.rewardBias);
      values.forEach((value, t) => assert.ok(Math.abs(value - wanted[t]!) < 1e-5, `${value} at ${t}`));
    }
  }
});

Deno.test("padded, the reward is seen from every one of the last h starts; dropped, from one", () => {
  const episode = episodeOf(9, true, stream(1, "x"));
  const starts = (ends: ChunkForm["ends"]) => {
    const { reward, valid } = chunkTransitions(episode, form({ horizon: 4, ends }));
    return [...valid.keys()].filter((t) => valid[t] && reward[t]! > 0);
  };
  assert.deepEqual(starts("padded"), [5, 6, 7, 8]);
  assert.deepEqual(starts("dropped"), [5]);
});

Deno.test("of a failure, chunks whose next state was never seen are not valid", () => {
  const episode = episodeOf(6, false, stream(1, "x"));
  const valid = (states: number) => [...chunkTransitions(episode, form({ horizon: 4 }), states).valid];
  assert.deepEqual(valid(6), [1, 1, 0, 0, 0, 0]);
  assert.deepEqual(valid(7), [1, 1, 1, 0, 0, 0]);
});

Deno.test("chunkTransitions() refuses impossible forms in one line", () => {
  const episode = episodeOf(3, true, stream(1, "x"));
  const refused = (changes: Partial<ChunkForm>, states?: number) => () =>
    chunkTransitions(episode, form(changes), states);
  assert.throws(refused({ horizon: 0 }), {
    message: "Cannot cut chunks of 0 steps: the horizon must be a positive integer",
  });
  assert.throws(refused({ gamma: 1.5 }), { message: "Cannot discount by gamma 1.5: it must be in [0, 1]" });
  assert.throws(refused({}, 5), {
    message: "Cannot cut 3 steps with 5 observed states: there must be as many, or one more",
  });
  assert.throws(() => chunkTransitions({ ...episode, columns: {} }, form()), {
    message: 'Cannot cut chunks from an episode of "task": it has no actions',
  });
  assert.throws(() => writeChunk(episode, 3, 2, new Float32Array(6)), {
    message: 'Cannot cut a chunk at step 3 of an episode of "task": it has 3',
  });
});
