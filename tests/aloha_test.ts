/** The environment contract on gym-aloha, and what only ALOHA has. Skipped, with the reason, where it is not set up. */
import assert from "node:assert/strict";
import { alohaRest, alohaTasks, gymCommand, JOINTS, openAloha } from "../envs/aloha.ts";
import { alohaFingerprint, alohaPython } from "../envs/aloha_install.ts";
import type { CameraSettings, InitialState, Observation, Step } from "../envs/environment.ts";
import { stream } from "../random.ts";
import { type AnyEnvironment, environmentContract } from "./environment_contract.ts";

let python: string | undefined;
let reason = "";
try {
  python = alohaPython();
} catch (error) {
  reason = ` (skipped: ${error instanceof Error ? error.message : error})`;
}
const ignore = python === undefined;
const tasks = alohaTasks(300);

const pool = (lanes: number, cameras: readonly CameraSettings[] = [], every = 1) =>
  openAloha({ command: gymCommand(python!), tasks, cameras, every, lanes, workers: lanes, note: () => {} });

/** A pool of one lane as an environment. */
async function environment(task: string): Promise<AnyEnvironment> {
  const lanes = await pool(1);
  let observation: Observation | undefined;
  return {
    task: tasks.get(task)!,
    get observation() {
      return observation!;
    },
    async reset(state: InitialState) {
      return observation = await lanes.reset(0, task, state);
    },
    async step(action: ArrayLike<number>): Promise<Step> {
      const [step] = await lanes.step([Float32Array.from(action)]);
      observation = step!.observation;
      return step!;
    },
    [Symbol.asyncDispose]: () => lanes[Symbol.asyncDispose](),
  };
}

environmentContract(`aloha transfer_cube${reason}`, () => environment("transfer_cube"), {
  compared: { evaluation: 50, training: 50 },
  ignore,
  body: { rest: alohaRest, proprioception: JOINTS },
});

const test = (what: string, fn: () => Promise<void>) =>
  Deno.test({ name: `aloha: ${what}${reason}`, ignore, fn });

test("100 steps are the same bytes again, in a fresh process and after a replay", async () => {
  const random = stream(0, "aloha");
  const actions = Array.from({ length: 100 }, () => random.fillUniform(new Float32Array(JOINTS), -0.2, 0.2))
    .map((noise) => noise.map((x, i) => x + alohaRest[i]!));
  const state = { split: "evaluation", index: 7 } as const;
  const run = async () => {
    await using lanes = await pool(1);
    const seen = [await lanes.reset(0, "transfer_cube", state)];
    for (const action of actions) seen.push((await lanes.step([action]))[0]!.observation);
    return seen;
  };
  const first = await run();
  assert.deepEqual(await run(), first);
  await using lanes = await pool(1);
  const half = new Float32Array(50 * JOINTS);
  actions.slice(0, 50).forEach((action, i) => half.set(action, i * JOINTS));
  assert.deepEqual(await lanes.reset(0, "transfer_cube", state, half), first[50]);
  const [next] = await lanes.step([actions[50]!]);
  assert.deepEqual(next!.observation, first[51]);
});

test("pictures are drawn when they are due, and change no number of the state", async () => {
  const camera = { name: "top", width: 40, height: 30 };
  await using drawn = await pool(1, [camera], 3);
  await using bare = await pool(1);
  const state = { split: "training", index: 0 } as const;
  const [seen] = await Promise.all([drawn, bare].map((lanes) => lanes.reset(0, "transfer_cube", state)));
  assert.deepEqual([seen!.images!.top!.width, seen!.images!.top!.height], [40, 30]);
  const action = Float32Array.from(alohaRest);
  for (let t = 1; t <= 6; t++) {
    const [a, b] = await Promise.all([drawn, bare].map(async (lanes) => (await lanes.step([action]))[0]!));
    const { images, ...numbers } = a!.observation;
    assert.equal(images !== undefined, t % 3 === 0, `step ${t}`);
    assert.deepEqual(numbers, b!.observation);
  }
});

test("actions beyond [-1, 1] reach the joints: they are positions, not directions", async () => {
  await using lanes = await pool(1);
  await lanes.reset(0, "transfer_cube", { split: "training", index: 0 });
  const raised = Float32Array.from(alohaRest).with(2, 1.5);
  let step: Step | undefined;
  for (let t = 0; t < 60; t++) [step] = await lanes.step([raised]);
  assert.ok(step!.observation.proprioception[2]! > 1.3, `${step!.observation.proprioception}`);
});

test("its fingerprint names what decides its bytes", () => {
  const { packages, worker, requirements } = alohaFingerprint();
  assert.deepEqual(Object.keys(packages), ["gym-aloha", "dm-control", "mujoco", "numpy"]);
  for (const digest of [worker, requirements]) assert.match(digest, /^[0-9a-f]{64}$/);
  return Promise.resolve();
});
