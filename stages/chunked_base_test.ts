import assert from "node:assert/strict";
import type { Normalization } from "../data/normalization.ts";
import { encodeNormalizations } from "../data/normalization.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { openTabletop } from "../envs/tabletop.ts";
import * as flow from "../policies/flow.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { stream } from "../random.ts";
import { artifact } from "../tests/stage_context.ts";
import { task, tasks, tinyBase } from "../tests/tabletop_subjects.ts";
import { ChunkedBase, openBase, readPolicy } from "./chunked_base.ts";
import type { Lane } from "./rollout.ts";

const HORIZON = 6, EXECUTE = 4, SEED = 5;
using environment = await openTabletop(task.name);
const observation = environment.reset({ split: "training", index: 0 });

/** A lane at the start of an episode. All of them look at the same observation. */
function lane(index: number, state: number, noise = 0): Lane {
  return { index, plan: { task, state: { split: "training", index: state }, noise }, t: 0, observation };
}

/** A policy whose velocity is 0, with units of 1: its chunk is the noise it was given, clipped. */
async function noisePolicy(batch: number): Promise<FlowPolicy> {
  const one = (width: number): Normalization => ({
    kind: "z-score",
    n: 1,
    center: Array(width).fill(0),
    scale: Array(width).fill(1),
    clip: null,
  });
  const sizes = { features: 20, horizon: HORIZON, action: 7 };
  const h = flow.hyperparameters.parse({ width: 16, layers: 1 });
  const weights = flow.acting(flow.initialize(stream(0, "zero"), sizes, h));
  const normalization = { features: one(20), actions: one(7) };
  return await FlowPolicy.open(weights, normalization, { batch, execute: EXECUTE, threads: 1 });
}

/** The clipped noise of a chunk, from the key of its episode and the number of the query. */
function chunk(state: number, noise: number, query: number): Float32Array {
  return stream(SEED, "chunk", task.name, "training", state, noise, query)
    .fillNormal(new Float32Array(HORIZON * 7)).map((x) => Math.max(-1, Math.min(1, x)));
}

/** The actions of `steps` control steps in every given lane. */
async function played(lanes: readonly (Lane | undefined)[], steps: number) {
  await using base = new ChunkedBase(await noisePolicy(lanes.length), SEED, tasks);
  for (const one of lanes) if (one) base.begin(one);
  const actions: number[][][] = lanes.map(() => []);
  const phases: number[] = [];
  for (let t = 0; t < steps; t++) {
    for (const decision of (await base.act(lanes)).entries()) {
      if (decision[1]) actions[decision[0]]!.push([...decision[1].action]);
    }
    phases.push(base.phase(lanes.findIndex((one) => one)));
  }
  return { actions, phases };
}

Deno.test("ChunkedBase executes the first actions of each chunk, then asks for the next", async () => {
  const { actions: [actions], phases } = await played([lane(0, 3)], 10);
  const wanted = [0, 1, 2].flatMap((query) =>
    Array.from({ length: EXECUTE }, (_, k) => [...chunk(3, 0, query).subarray(7 * k, 7 * (k + 1))])
  );
  assert.deepEqual(actions, wanted.slice(0, 10));
  assert.deepEqual(phases, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2].map((used) => used / EXECUTE));
});

Deno.test("the noise of a chunk depends on the episode's key and the query alone", async () => {
  const { actions: [alone] } = await played([lane(0, 3)], 8);
  const { actions } = await played([lane(0, 8), undefined, lane(2, 3), lane(3, 3, 1)], 8);
  assert.deepEqual(actions[2], alone, "another lane, other company");
  assert.notDeepEqual(actions[0], alone, "another initial state");
  assert.notDeepEqual(actions[3], alone, "another noise stream");
});

Deno.test("begin() drops the chunk of the episode before", async () => {
  await using base = new ChunkedBase(await noisePolicy(1), SEED, tasks);
  const first = lane(0, 3), second = lane(0, 4);
  base.begin(first);
  await base.act([first]);
  base.begin(second);
  const [decision] = await base.act([second]);
  assert.deepEqual([...decision!.action], [...chunk(4, 0, 0).subarray(0, 7)]);
  assert.deepEqual(decision!.row!.base, decision!.action);
});

Deno.test("a lane goes on from a restored cursor as if it had never stopped", async () => {
  const { actions: [whole] } = await played([lane(0, 3)], 7);
  await using before = new ChunkedBase(await noisePolicy(1), SEED, tasks);
  await using after = new ChunkedBase(await noisePolicy(1), SEED, tasks);
  const one = lane(0, 3);
  before.begin(one);
  for (let t = 0; t < 3; t++) await before.act([one]);
  after.begin(one);
  Object.assign(after.cursor(0), before.cursor(0));
  const rest = [];
  for (let t = 3; t < 7; t++) rest.push([...(await after.act([one]))[0]!.action]);
  assert.deepEqual(rest, whole!.slice(3));
});

Deno.test("openBase() opens what cloning stored, and refuses half a normalization", async () => {
  const stored = await tinyBase();
  await using base = await openBase({ ...stored, lanes: 2, execute: 2, tasks, seed: SEED });
  const [decision, none] = await base.act([lane(0, 0), undefined]);
  assert.equal(none, undefined);
  assert.ok(decision!.action.length === 7 && decision!.action.every((x) => Math.abs(x) <= 1));
  const half = await artifact("normalization", encodeNormalizations({}));
  const weights = await artifact("weights", encodeSafetensors({}));
  await assert.rejects(readPolicy(weights, half), {
    message: `Cannot open policy ${weights.digest}: its normalization must name "features" and "actions"`,
  });
});
