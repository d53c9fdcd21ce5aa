/** Stored policies behind openpi's protocol: the very chunks that they answer with in a stage. */
import assert from "node:assert/strict";
import { encodeSafetensors } from "../data/safetensors.ts";
import { ndarray } from "../ndarray.ts";
import { type WireArray, wireArray } from "../policies/msgpack_numpy.ts";
import { actionsOf, type Message, OpenpiClient } from "../policies/openpi.ts";
import { serveOpenpi } from "../policies/openpi_server.ts";
import { FlowPolicy } from "../policies/policy.ts";
import { stream } from "../random.ts";
import { randomWeights, storedPolicy, units } from "../tests/served_policy.ts";
import { digestOf } from "../tests/stage_context.ts";
import { openServed } from "./served_flow.ts";

const state = stream(1, "state").fillNormal(new Float32Array(20));
const noise = stream(1, "noise").fillNormal(new Float32Array(28));
const place = { connection: 0, question: 0 };
const numbers = (answer: Message) => actionsOf(answer, 7).actions;

Deno.test("a served policy answers with the chunk that it draws in a stage, over the wire too", async () => {
  await using served = await openServed(storedPolicy(20, ["pick"]));
  await using server = serveOpenpi(served, { port: 0 });
  using client = await OpenpiClient.connect({ url: `ws://127.0.0.1:${server.port}` });
  assert.deepEqual(client.metadata, served.metadata);
  assert.deepEqual(served.metadata.actions, [4, 7]);
  await using flow = await FlowPolicy.open(randomWeights(20), { features: units(20), actions: units(7) }, {
    batch: 1,
    execute: 4,
    threads: 1,
  });
  const expected = await flow.sample(ndarray([1, 20], state), ndarray([1, 4, 7], noise));
  for (const shape of [[4, 7], [1, 4, 7]]) {
    const answer = await client.infer({
      "observation/state": wireArray([20], Float64Array.from(state)),
      noise: wireArray(shape, noise),
    });
    assert.deepEqual(numbers(answer), expected.data);
  }
});

Deno.test("noise that is not sent is drawn by connection and question, so that a session can be repeated", async () => {
  await using served = await openServed(storedPolicy(20, []));
  const observation = { "observation/state": wireArray([20], state) };
  const ask = async (connection: number, question: number) =>
    numbers(await served.infer(observation, { connection, question }));
  assert.deepEqual(await ask(0, 1), await ask(0, 1));
  assert.notDeepEqual(await ask(0, 1), await ask(0, 2));
  assert.notDeepEqual(await ask(0, 1), await ask(1, 1));
});

Deno.test("the prompt marks the task where the one-hot is left out", async () => {
  await using served = await openServed(storedPolicy(22, ["pick", "push"]));
  const sent = { noise: wireArray([4, 7], noise) };
  const whole = Float32Array.of(...state, 0, 1);
  const marked = await served.infer({ ...sent, "observation/state": wireArray([22], whole) }, place);
  const short = { ...sent, "observation/state": wireArray([20], state) };
  assert.deepEqual(numbers(await served.infer({ ...short, prompt: "push" }, place)), numbers(marked));
  await assert.rejects(served.infer({ ...short, prompt: "pull" }, place), {
    message: 'Cannot act in task "pull": "prompt" must be one of pick, push',
  });
});

Deno.test("a policy with a condition is served under its guidance, others take none", async () => {
  const observation = { "observation/state": wireArray([20], state), noise: wireArray([4, 7], noise) };
  const under = async (guidance: number) => {
    await using served = await openServed({ ...storedPolicy(20, [], true), guidance });
    assert.deepEqual([served.metadata.policy, served.metadata.guidance], ["guided", guidance]);
    return numbers(await served.infer(observation, place));
  };
  assert.notDeepEqual(await under(0), await under(2));
  await assert.rejects(openServed({ ...storedPolicy(20, []), guidance: 2 }), {
    message: "Cannot guide a flow policy: only one with a condition takes a guidance",
  });
});

Deno.test("observations and weights that do not fit are refused in one line", async () => {
  await using served = await openServed(storedPolicy(20, []));
  const refused = (observation: Message, message: string | RegExp) =>
    assert.rejects(served.infer(observation, place), { message });
  const right = wireArray([20], state);
  await refused({}, /^Cannot act without "observation\/state": it must be an array of 20 numbers/);
  await refused(
    { "observation/state": wireArray([8], new Float32Array(8)) },
    /^Cannot act on "observation\/state" of shape \[8\]: it must be an array of 20 numbers/,
  );
  await refused({ "observation/state": wireArray([20], new Float32Array(20).fill(NaN)) }, /not all of it/);
  const steer = (noise: WireArray | string) => ({ "observation/state": right, noise });
  await refused(
    steer(wireArray([7, 4], noise)),
    'Cannot start from "noise" of shape [7,4]: it must be [4, 7]',
  );
  await refused(steer("loud"), 'Cannot start from "noise": it must be [4, 7]');
  await refused(steer(wireArray([4, 7], noise.map(() => Infinity))), /^Cannot start from "noise": not all/);
  const bytes = encodeSafetensors({ "actor/0/bias": ndarray([3]) });
  await assert.rejects(openServed({ ...storedPolicy(20, []), weights: { digest: digestOf(bytes), bytes } }), {
    message: /^Cannot serve sha256:\w+: it holds no policy that answers with chunks .*distilled from it$/,
  });
});
