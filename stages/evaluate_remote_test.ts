/** Remote evaluation on the tabletop, whose cameras need no simulator outside the repository. */
import assert from "node:assert/strict";
import { floats, isWireArray, wireArray } from "../policies/msgpack_numpy.ts";
import type { Message } from "../policies/openpi.ts";
import { stream } from "../random.ts";
import { type Reaction, servePolicy } from "../tests/policy_server.ts";
import { attempt, type Conditions, digests } from "../tests/stage_context.ts";
import { episodesOf, task } from "../tests/tabletop_subjects.ts";
import * as evaluateRemote from "./evaluate_remote.ts";
import { fingerprint } from "./remote_world.ts";

const HORIZON = 40, EXECUTE = 30;
const names = ["agentview", "eye_in_hand"] as const;
const world = {
  name: "tabletop" as const,
  cameras: names.map((name) => ({ name, width: 16, height: 16 })),
};

/** A policy that is a function of what it sees: equal observations, equal chunks. */
function answer({ "observation/state": state, noise }: Message): Message {
  assert.ok(isWireArray(state));
  const seed = floats(state).reduce((sum, x) => sum + Math.round(1000 * x), 5000);
  const actions = stream(Math.abs(seed), "server").fillUniform(new Float32Array(HORIZON * 7), -1, 1);
  if (isWireArray(noise)) actions[0] = Math.tanh(floats(noise)[0]!);
  return { actions: wireArray([HORIZON, 7], actions) };
}

const metadata = () => ({ model: "test" });
const react = (observation: Message): Reaction => ({ answer: answer(observation) });

const run = (
  url: string,
  conditions: Conditions = {},
  rest: { count?: number; noise?: number; noiseShape?: number[] } = {},
) =>
  attempt(evaluateRemote, {}, {
    served: { world, url, label: "random chunks" },
    ...{ task: task.name, first: 0, count: 2, noise: 0, execute: EXECUTE, noiseShape: [], ...rest },
  }, conditions);

Deno.test("a remote policy sees openpi's observation, and its chunks are executed as they are", async () => {
  await using server = servePolicy({ metadata, react });
  const { output } = await run(server.url);
  const question = server.questions[0]!;
  assert.deepEqual(Object.keys(question).sort(), [
    "observation/image",
    "observation/state",
    "observation/wrist_image",
    "prompt",
  ]);
  assert.equal(question.prompt, task.language);
  for (const name of ["observation/image", "observation/wrist_image"]) {
    const image = question[name];
    assert.ok(isWireArray(image));
    assert.deepEqual([image.dtype, image.shape], ["|u1", [224, 224, 3]]);
  }
  const state = question["observation/state"];
  assert.ok(isWireArray(state));
  assert.deepEqual([state.dtype, state.shape], ["<f8", [8]]);
  const [first, second] = await episodesOf(output.episodes);
  const chunk = answer(question).actions;
  assert.ok(isWireArray(chunk));
  assert.deepEqual(first!.columns.action!.data.slice(0, EXECUTE * 7), floats(chunk).slice(0, EXECUTE * 7));
  // 160 steps are no multiple of 30: a chunk left over from the first episode would save a question in the second.
  assert.equal(
    server.questions.length,
    Math.ceil(first!.length / EXECUTE) + Math.ceil(second!.length / EXECUTE),
  );
  const said = JSON.parse(await Deno.readTextFile(output.server.path));
  assert.deepEqual(said, { url: server.url, label: "random chunks", metadata: { model: "test" } });
});

Deno.test("bytes do not depend on lanes; noise is drawn by episode and query, and sent when asked for", async () => {
  await using server = servePolicy({ metadata, react });
  assert.deepEqual(digests(await run(server.url, { workers: 2 })), digests(await run(server.url)));
  assert.ok(server.questions.every((question) => !("noise" in question)));
  const before = server.questions.length;
  const shaped = { count: 1, noiseShape: [10, 32] };
  const noisy = await run(server.url, {}, shaped);
  const { noise } = server.questions[before]!;
  assert.ok(isWireArray(noise));
  assert.deepEqual([noise.dtype, noise.shape], ["<f4", [10, 32]]);
  const wanted = new Float32Array(320);
  stream(0, "chunk", task.name, "evaluation", 0, 0, 0).fillNormal(wanted);
  assert.deepEqual(floats(noise), wanted);
  const other = await run(server.url, {}, { ...shaped, noise: 1 });
  assert.notEqual(other.output.episodes.digest, noisy.output.episodes.digest);
});

Deno.test("a server that fails costs the running episode only: what is finished is kept", async () => {
  let broken = Infinity;
  await using server = servePolicy({
    metadata,
    react: (observation, question) =>
      question >= broken ? { traceback: "Traceback\nRuntimeError: out of memory" } : react(observation),
  });
  const wanted = await run(server.url);
  const [first] = await episodesOf(wanted.output.episodes);
  const queries = Math.ceil(first!.length / EXECUTE);
  const part = await run(server.url, { interruptAt: 1 });
  assert.equal(part.checkpoints.length > 0, true);
  const checkpoint = part.checkpoints.at(-1);
  broken = server.questions.length;
  await assert.rejects(run(server.url, { checkpoint }), /the server says "RuntimeError: out of memory"/);
  broken = Infinity;
  const before = server.questions.length;
  const resumed = await run(server.url, { checkpoint });
  assert.deepEqual(digests(resumed), digests(wanted));
  assert.equal(
    server.questions.length - before,
    Math.ceil(160 / EXECUTE),
    `not the first one's ${queries} again`,
  );
});

Deno.test("worlds without two cameras, and chunks that are too short, are refused in one line", async () => {
  await using server = servePolicy({
    metadata,
    react: () => ({ answer: { actions: wireArray([5, 7], new Float32Array(35)) } }),
  });
  await assert.rejects(run(server.url), {
    message: "Cannot execute 30 actions of a chunk: the policy server sends 5; replan more often",
  });
  const blind = { world: { name: "tabletop" as const }, url: server.url, label: "x" };
  const block = { task: task.name, first: 0, count: 1, noise: 0, execute: 5, noiseShape: [] };
  await assert.rejects(attempt(evaluateRemote, {}, { served: blind, ...block }), /it takes two cameras/);
});

Deno.test("fingerprint() of a served policy is the server's metadata, without its address", async () => {
  await using server = servePolicy({ metadata, react });
  assert.deepEqual(await fingerprint({ world, url: server.url, label: "x" }), { server: { model: "test" } });
});
