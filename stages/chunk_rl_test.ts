import assert from "node:assert/strict";
import { chunkTransitions, rewardCodes } from "../data/chunk_transitions.ts";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { fit } from "../data/normalization.ts";
import { decodeSafetensors, encodeSafetensors } from "../data/safetensors.ts";
import { decodeTable, numbers } from "../data/table.ts";
import { ndarray } from "../ndarray.ts";
import { stream } from "../random.ts";
import { artifact, attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { demonstrations, episodesOf, recorded, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import { chunkData, chunkScale, chunkStates, drawRows, mixture } from "./chunk_data.ts";
import * as collectRollouts from "./collect_rollouts.ts";
import * as distilBestOfN from "./distil_best_of_n.ts";
import * as evaluate from "./evaluate.ts";
import * as evaluateBestOfN from "./evaluate_best_of_n.ts";
import * as evaluateGaussian from "./evaluate_gaussian.ts";
import * as trainChunkBrief from "./train_chunk_brief.ts";
import * as trainChunkCritic from "./train_chunk_critic.ts";
import * as trainWeightedFlow from "./train_weighted_flow.ts";
import { offlineReplay, stateScale } from "./transitions.ts";
import * as weighChunks from "./weigh_chunks.ts";

const base = await tinyBase();
const shown = await demonstrations(1);
const rollouts = await Promise.all(
  [[20, true], [13, false], [3, true], [25, false]].map(([length, success], index) =>
    recorded(length as number, { index, success: success as boolean })
  ),
);
const episodes = [await artifact("episodes", encodeEpisodes(rollouts))];
const learner = {
  ...{ horizon: 4, steps: 120, batch: 8, layers: 2, width: 8, learningRate: 1e-3 },
  ...rewardCodes["-1/0"],
  activation: "tanh",
} as const;
const critic = (conditions: Conditions = {}, more: object = {}, demonstrations = [shown]) =>
  attempt(trainChunkCritic, { episodes, demonstrations }, {
    tasks,
    demonstrationShare: 0.25,
    learner: { ...learner, ...more },
  }, conditions);
const trained = (await critic()).output;

Deno.test("train_chunk_critic resumes to the bytes of an uninterrupted run, and keeps critics, averages and V", async () => {
  const whole = await critic({}, {});
  assert.deepEqual(whole.budget, { environmentSteps: 0, gradientSteps: 120 });
  for (const interruptAt of [1, 2]) {
    const stopped = await critic({ interruptAt });
    assert.ok(stopped.interrupted);
    const resumed = await critic({ checkpoint: stopped.checkpoints.at(-1) });
    assert.deepEqual(digests(resumed), digests(whole), `interrupted after ${interruptAt} calls`);
  }
  const { tensors } = decodeSafetensors(await Deno.readFile(whole.output.weights.path));
  const groups = new Set(Object.keys(tensors).map((name) => name.split("/")[0]));
  assert.deepEqual([...groups].sort(), ["critic", "target", "value"]);
  assert.notDeepEqual(tensors["critic/0/kernel"]!.data, tensors["target/0/kernel"]!.data);
});

Deno.test("shares of rollouts and demonstrations are held, and empty parts refused", () => {
  const rows = Int32Array.from({ length: 50 }, (_, i) => i);
  const drawn = drawRows(stream(0, "x"), mixture(rows, 40, 0.25), 3, 8);
  for (let i = 0; i < drawn.length; i++) assert.equal(drawn[i]! >= 40, i % 8 < 2, `row ${drawn[i]} at ${i}`);
  assert.throws(() => mixture(rows, 50, 0.1), {
    message: "Cannot draw 0.1 of each batch from demonstrations: there is none",
  });
  assert.throws(() => mixture(rows, 0, 0), {
    message: "Cannot draw from rollouts: there is no step of them to learn from",
  });
});

Deno.test("chunks of one step are the offline transitions of one-step TD, bit for bit", () => {
  const successes = rollouts.filter(({ success }) => success);
  const scale = stateScale(successes, 1);
  const reward = { gamma: 0.99, ...rewardCodes["-1/0"] };
  const single = offlineReplay(successes, { scale, execute: 1, reward }).rows();
  const data = chunkData(successes, {
    states: chunkStates(successes, tasks, scale),
    form: { ...reward, horizon: 1, ends: "padded" },
  });
  assert.equal(data.valid.length, single.reward!.data.length);
  assert.deepEqual(data.states.data, single.state!.data);
  assert.deepEqual(data.chunks.data, single.action!.data);
  assert.deepEqual(data.reward.data, single.reward!.data);
  assert.deepEqual(data.mask.data.map((m) => 1 - m), single.terminated!.data);
  const width = scale.center.length;
  data.next.forEach((row, i) => {
    const wanted = single.nextState!.data.subarray(i * width, (i + 1) * width);
    assert.deepEqual(data.states.data.subarray(row * width, (row + 1) * width), wanted, `row ${i}`);
  });
});

Deno.test("chunkData() names the rows of next states across episodes", () => {
  const scale = chunkScale(rollouts, tasks);
  const form = { horizon: 4, gamma: 0.99, ...rewardCodes["0/1"], ends: "padded" } as const;
  const data = chunkData(rollouts, { states: chunkStates(rollouts, tasks, scale), form });
  let from = 0;
  for (const episode of rollouts) {
    const cut = chunkTransitions(episode, form);
    cut.next.forEach((t, i) => assert.equal(data.next[from + i], from + t));
    const valid = [...data.valid].filter((row) => row >= from && row < from + episode.length);
    assert.deepEqual(valid.map((row) => row - from), [...cut.valid.keys()].filter((t) => cut.valid[t]));
    from += episode.length;
  }
});

const protocol = { world, tasks, states: 2, noises: 2, lanes: 4, execute: 4 };
const scoring = { activation: "tanh" } as const;
const best = (candidates: number, conditions: Conditions = {}, how: object = {}) =>
  attempt(
    evaluateBestOfN,
    { ...base, critic: trained.weights, scale: trained.scale },
    { ...protocol, candidates, scoring: { ...scoring, ...how } },
    conditions,
  );

Deno.test("the best of 1 is evaluated to the very bytes of the base; the best of 5 is not the base", async () => {
  const { output: wanted } = await attempt(evaluate, { ...base, residuals: [], scales: [] }, protocol);
  const { output: one } = await best(1);
  assert.equal(one.episodes.digest, wanted.episodes.digest);
  assert.equal(one.evaluation.digest, wanted.evaluation.digest);
  const { output: five } = await best(5);
  assert.notEqual(five.episodes.digest, wanted.episodes.digest);
});

Deno.test("the best of N depends neither on workers nor on an interruption", async () => {
  const whole = await best(3, { alwaysDue: true });
  assert.deepEqual(digests(await best(3, { workers: 2 })), digests(whole));
  const stopped = await best(3, { interruptAt: 2 });
  assert.ok(stopped.interrupted);
  assert.deepEqual(digests(await best(3, { checkpoint: stopped.checkpoints.at(-1) })), digests(whole));
});

Deno.test("a critic that likes a proposal gets it: scores decide, whatever the order of proposals", async () => {
  // A linear critic of the chunk's first number, up and down: the two choices must differ.
  const { tensors } = decodeSafetensors(await Deno.readFile(trained.weights.path));
  const first = async (sign: number) => {
    const weights = { ...tensors };
    for (const [name, x] of Object.entries(tensors)) {
      if (name.startsWith("target/")) weights[name] = ndarray(x.shape);
    }
    for (const layer of ["target/0", "target/1"]) {
      weights[`${layer}/gain`] = tensors[`${layer}/gain`]!;
    }
    const state = fitted.center.length, kernel = weights["target/0/kernel"]!;
    const [members, inputs, units] = kernel.shape as [number, number, number];
    for (let k = 0; k < members; k++) {
      kernel.data[(k * inputs + state) * units] = 1;
      weights["target/1/kernel"]!.data[k * 64] = 1;
      weights["target/out/kernel"]!.data[k * 8] = sign;
    }
    const critic = await artifact("weights", encodeSafetensors(weights));
    const { output } = await attempt(
      evaluateBestOfN,
      { ...base, critic, scale: trained.scale },
      { ...protocol, candidates: 8, scoring },
    );
    const all = await episodesOf(output.episodes);
    return all.reduce((sum, { columns }) => sum + columns.action!.data[0]!, 0) / all.length;
  };
  const fitted = fit(ndarray([2, 31]), { kind: "z-score", floor: 1 });
  assert.ok(await first(1) > await first(-1) + 0.05);
});

const weigh = () =>
  attempt(weighChunks, { critic: trained.weights, scale: trained.scale, episodes, demonstrations: [shown] }, {
    tasks,
    learner: { horizon: 4, activation: "tanh", ...rewardCodes["-1/0"] },
    betas: [0, 1],
    cap: 100,
  });

Deno.test("weigh_chunks scores every step and sums the weights up by beta", async () => {
  const { output } = await weigh();
  const advantages = decodeTable(await Deno.readFile(output.advantages.path));
  const [shownEpisode] = await episodesOf(shown);
  assert.equal(numbers(advantages, "advantage").length, 20 + 13 + 3 + 25 + shownEpisode!.length);
  const [q, v, a] = ["q", "v", "advantage"].map((name) => numbers(advantages, name));
  a!.forEach((x, i) => assert.equal(x, Math.fround(q![i]! - v![i]!)));
  const weighting = decodeTable(await Deno.readFile(output.weighting.path));
  const at = (name: string) => [...numbers(weighting, name)];
  assert.deepEqual(at("beta"), [0, 1]);
  assert.deepEqual([at("rollouts")[0], at("successes")[0]], [4, 2]);
  // All starts of successes; of failures those with a next state.
  assert.equal(at("chunks")[0], 20 + 3 + 9 + 21);
  assert.equal(at("effective")[0], 1);
  assert.ok(Math.abs(at("success_share")[0]! - 23 / 53) < 1e-12);
  assert.ok(at("effective")[1]! < 1);
  assert.deepEqual(
    weighChunks.spreadOf([{ advantage: 0, success: true }, { advantage: 9, success: false }], 1, 3),
    {
      ...{ cut: 0.5, effective: 16 / 10 / 2, successShare: 0.25 },
    },
  );
});

const optimization = { steps: 60, batch: 8, ema: 0.5, model: { learningRate: 1e-3 } };
const flow = (
  { beta = 1, keep = "all" as "all" | "successes", advantages = true, share = 0 } = {},
  conditions: Conditions = {},
) =>
  weigh().then(({ output }) =>
    attempt(trainWeightedFlow, {
      ...base,
      episodes,
      demonstrations: share > 0 ? [shown] : [],
      advantages: advantages ? [output.advantages] : [],
    }, {
      tasks,
      keep,
      demonstrationShare: share,
      learner: { ...optimization, inverseTemperature: beta },
    }, conditions)
  );

Deno.test("train_weighted_flow resumes bitwise; weights change what is learned", async () => {
  const whole = await flow({ share: 0.5 });
  const even = await flow({ share: 0.5, beta: 0 });
  assert.notEqual(even.output.weights.digest, whole.output.weights.digest);
  const stopped = await flow({ share: 0.5 }, { interruptAt: 1 });
  const resumed = await flow({ share: 0.5 }, { checkpoint: stopped.checkpoints.at(-1) });
  assert.deepEqual(digests(resumed), digests(whole));
});

Deno.test("without demonstrations advantages are of the rollouts alone, or the stage says so", async () => {
  await assert.rejects(flow(), /^Error: Cannot weigh 61 chunks by \d+ advantages: they must be of the same/);
  const even = await flow({ beta: 0, advantages: false });
  const cloned = await flow({ beta: 0, advantages: false, keep: "successes" });
  assert.notEqual(even.output.weights.digest, cloned.output.weights.digest);
});

Deno.test("distil_best_of_n resumes bitwise; what is chosen among, and by what, decides", async () => {
  const distil = (candidates: number, conditions: Conditions = {}, critics: "target" | "critic" = "target") =>
    attempt(distilBestOfN, { ...base, critic: trained.weights, scale: trained.scale, episodes }, {
      ...{ tasks, candidates, stride: 5, scoring: { ...scoring, critic: critics } },
      flow: { steps: 60, batch: 8, width: 16, layers: 2, warmup: 2 },
    }, conditions);
  const whole = await distil(4, { alwaysDue: true });
  const stopped = await distil(4, { interruptAt: 1 });
  assert.deepEqual(digests(await distil(4, { checkpoint: stopped.checkpoints.at(-1) })), digests(whole));
  const others = [await distil(1), await distil(4, {}, "critic")];
  for (const { output } of others) assert.notEqual(output.weights.digest, whole.output.weights.digest);
  assert.equal(whole.output.normalization.digest, base.normalization.digest);
});

Deno.test("collect_rollouts keeps successes and failures, of successive states, whatever the workers", async () => {
  const collect = (conditions: Conditions = {}) =>
    attempt(collectRollouts, base, {
      ...{ world, task: tasks[0]!, tasks, execute: 4, episodes: 3, first: 70, lanes: 2 },
    }, conditions);
  const whole = await collect();
  const kept = await episodesOf(whole.output.episodes);
  assert.deepEqual(kept.map(({ index, split }) => [index, split]), [70, 71, 72].map((i) => [i, "training"]));
  assert.equal(whole.budget.environmentSteps, kept.reduce((sum, { length }) => sum + length, 0));
  assert.deepEqual(digests(await collect({ workers: 2 })), digests(whole));
});

Deno.test("train_chunk_brief resumes bitwise, and its mean acts", async () => {
  const brief = (conditions: Conditions = {}) =>
    attempt(trainChunkBrief, { ...base, episodes, demonstrations: [] }, {
      tasks,
      demonstrationShare: 0,
      learner: { horizon: 4, epochs: 20, batch: 16, width: 8, learningRate: 1e-3 },
    }, conditions);
  const whole = await brief({ alwaysDue: true });
  const stopped = await brief({ interruptAt: 1 });
  const resumed = await brief({ checkpoint: stopped.checkpoints.at(-1) });
  assert.deepEqual(digests(resumed), digests(whole));
  const { output } = await attempt(evaluateGaussian, whole.output, protocol);
  assert.equal(numbers(decodeTable(await Deno.readFile(output.evaluation.path)), "success").length, 4);
});
