import assert from "node:assert/strict";
import { decodeTable } from "../data/table.ts";
import { openTabletop } from "../envs/tabletop.ts";
import { ndarray } from "../ndarray.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { stream } from "../random.ts";
import * as dsrl from "../rl/dsrl.ts";
import { steeringNoise } from "../rl/steering_noise.ts";
import { attempt, digests } from "../tests/stage_context.ts";
import { task, tasks, tinyBase, world } from "../tests/tabletop_subjects.ts";
import { ChunkedBase, readPolicy } from "./chunked_base.ts";
import * as evaluate from "./evaluate.ts";
import * as measureNoise from "./measure_noise.ts";
import type { Lane } from "./rollout.ts";
import { NoiseActor, SteeredBase, unsteered } from "./steered_base.ts";

const EXECUTE = 3, SEED = 5, HORIZON = 8;
const base = await tinyBase();
using environment = await openTabletop(task.name);
const observation = environment.reset({ split: "training", index: 0 });
const lane = (index: number, state: number): Lane => ({
  index,
  plan: { task, state: { split: "training", index: state }, noise: 1 },
  t: 0,
  observation,
});
const lanes = [lane(0, 3), lane(1, 4)];

async function policy(): Promise<FlowPolicy> {
  const { weights, normalization } = await readPolicy(base.weights, base.normalization);
  return await FlowPolicy.open(weights, normalization, { batch: 2, execute: EXECUTE, threads: 1 });
}

/** The actions of seven control steps in both lanes: three queries each. */
async function played(actor: ChunkedBase | SteeredBase): Promise<Float32Array[]> {
  for (const each of lanes) actor.begin(each);
  const actions: Float32Array[] = [];
  for (let t = 0; t < 7; t++) for (const decision of await actor.act(lanes)) actions.push(decision!.action);
  return actions;
}

async function steered(shape: string, w: "drawn" | "zero"): Promise<Float32Array[]> {
  await using own = await policy();
  const noise = steeringNoise.parse({ shape });
  return await played(new SteeredBase(own, { noise, seed: SEED, tasks, steering: unsteered(w) }));
}

Deno.test("w ~ N(0, I) in full shape gives the base's chunks bit for bit", async () => {
  await using chunked = new ChunkedBase(await policy(), SEED, tasks);
  const wanted = await played(chunked);
  assert.deepEqual(await steered("full", "drawn"), wanted);
  assert.notDeepEqual(await steered("repeated", "drawn"), wanted);
});

Deno.test("w = 0 is the same chunk in every shape, and so is a fresh actor's but for its last layer", async () => {
  const zero = await steered("full", "zero");
  assert.deepEqual(await steered("repeated", "zero"), zero);
  assert.deepEqual(await steered("knots", "zero"), zero);
});

Deno.test("a steering's w replaces the noise: the policy gets its row in every row of the chunk", async () => {
  await using own = await policy();
  const given: Float32Array[] = [];
  const spy = new Proxy(own, {
    get: (target, name) =>
      name === "sample"
        ? (features: Parameters<FlowPolicy["sample"]>[0], noise: Parameters<FlowPolicy["sample"]>[1]) => {
          given.push(noise.data.slice());
          return target.sample(features, noise);
        }
        : Reflect.get(target, name, target),
  });
  const w = stream(1, "w").fillNormal(new Float32Array(14));
  const actor = new SteeredBase(spy, {
    noise: steeringNoise.parse({}),
    seed: SEED,
    tasks,
    steering: { observe: () => ({}), choose: () => Promise.resolve(ndarray([2, 7], w)) },
  });
  await actor.act(lanes);
  for (const [i] of lanes.entries()) {
    for (let h = 0; h < HORIZON; h++) {
      const row = given[0]!.slice((i * HORIZON + h) * 7, (i * HORIZON + h + 1) * 7);
      assert.deepEqual(row, w.slice(i * 7, (i + 1) * 7));
    }
  }
});

Deno.test("NoiseActor is deterministic without sampling, and stays within its magnitude with it", async () => {
  const form = dsrl.hyperparameters.parse({ width: 8, layers: 2, magnitude: 0.5 });
  const scale = {
    kind: "z-score",
    n: 1,
    center: Array(31).fill(0),
    scale: Array(31).fill(1),
    clip: 8,
  } as const;
  const weights = dsrl.initialize(stream(1, "actor"), { state: 31, noise: 7 }, form);
  await using actor = await NoiseActor.open({ weights, scale, lanes: 2, width: 7, form, sampled: false });
  const observed = lanes.map((each) => actor.observe(each));
  const draws = (i: number) => ndarray([2, 7], stream(2, "draws", i).fillNormal(new Float32Array(14)));
  const choose = async (i: number) => (await actor.choose(observed, draws(i))).data;
  assert.deepEqual(await choose(0), await choose(1));
  assert.ok((await choose(0)).every((x) => Math.abs(x) < 0.05), "a fresh actor is nearly w = 0");
  actor.sampled = true;
  const sampled = await choose(0);
  assert.notDeepEqual(sampled, await choose(1));
  assert.ok(sampled.every((x) => Math.abs(x) <= 0.5) && sampled.some((x) => Math.abs(x) > 0.3));
});

Deno.test("measure_noise drawn in full is the base's own evaluation, and w = 0 another", async () => {
  const protocol = { world, tasks, states: 2, noises: 2, lanes: 2, execute: EXECUTE };
  const own = await attempt(evaluate, { ...base, residuals: [], scales: [] }, protocol);
  const measure = (shape: string, w: "drawn" | "zero") =>
    attempt(measureNoise, { ...base }, { ...protocol, noise: { shape: shape as "full" }, w });
  const full = await measure("full", "drawn");
  assert.equal(full.output.evaluation.digest, own.output.evaluation.digest);
  const zero = await measure("repeated", "zero");
  assert.deepEqual(digests(zero), digests(await measure("full", "zero")));
  const table = decodeTable(await Deno.readFile(zero.output.evaluation.path));
  const length = [...table.length as Int32Array];
  assert.deepEqual(length.slice(0, 2), length.slice(2), "no noise: both noise streams are equal");
});
