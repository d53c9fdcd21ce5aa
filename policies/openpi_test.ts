/** The client against a server of openpi's protocol, with bytes that openpi-client packed (tests/fixtures/openpi.py). */
import assert from "node:assert/strict";
import { type Image, type Observation } from "../envs/environment.ts";
import fixture from "../tests/fixtures/openpi.json" with { type: "json" };
import { type Behaviour, type Reaction, servePolicy } from "../tests/policy_server.ts";
import { isWireArray, wireArray } from "./msgpack_numpy.ts";
import { actionsOf, liberoObservation, OpenpiClient, plain } from "./openpi.ts";

const reply = Uint8Array.fromHex(fixture.reply);
const SHORT = { connect: 2000, answer: 300 };

/** A server whose reactions to questions 0, 1, ... are these; the last one stays. */
function reacting(...reactions: Reaction[]): Behaviour {
  return {
    metadata: () => ({ model: "pi05_libero" }),
    react: (_, question) => reactions[Math.min(question, reactions.length - 1)]!,
  };
}

Deno.test("OpenpiClient greets, asks and reads what openpi's packer wrote", async () => {
  await using server = servePolicy(reacting({ bytes: reply }));
  using client = await OpenpiClient.connect({ url: server.url });
  assert.deepEqual(client.metadata, { model: "pi05_libero" });
  for (let i = 0; i < 50; i++) {
    const { horizon, actions } = actionsOf(await client.infer({ prompt: `question ${i}` }), 7);
    assert.equal(horizon, 10);
    assert.deepEqual(actions, Float32Array.from({ length: 70 }, (_, k) => k / 64 - 0.5));
  }
  assert.deepEqual(server.questions[49], { prompt: "question 49" });
  assert.equal(server.connections, 1);
});

Deno.test("OpenpiClient sends its API key, and says in one line when it is refused", async () => {
  await using server = servePolicy({ ...reacting({ bytes: reply }), apiKey: "secret" });
  using client = await OpenpiClient.connect({ url: server.url, apiKey: "secret" });
  await client.infer({});
  for (
    const [apiKey, words] of [["wrong", "the API key"], [undefined, "clients without an API key"]] as const
  ) {
    await assert.rejects(OpenpiClient.connect({ url: server.url, apiKey }), {
      message: `Cannot use the policy server at ${server.url}: it refuses ${words}`,
    });
  }
});

Deno.test("OpenpiClient tells the last line of a traceback, and asks anew on another connection", async () => {
  const traceback =
    "Traceback (most recent call last):\n  File \"policy.py\"\nKeyError: 'observation/state'\n";
  await using server = servePolicy(reacting({ traceback }, { bytes: reply }));
  using client = await OpenpiClient.connect({ url: server.url, deadlines: SHORT });
  await assert.rejects(client.infer({}), {
    message: `Cannot get actions from ${server.url}: the server says "KeyError: 'observation/state'"`,
  });
  await client.infer({});
  assert.equal(server.connections, 2);
});

Deno.test("OpenpiClient asks again when the connection breaks before the answer, but not for ever", async () => {
  const notes: string[] = [];
  await using server = servePolicy(reacting({ bytes: reply }, "drop", "drop", { bytes: reply }, "drop"));
  const note = (line: string) => notes.push(line);
  using client = await OpenpiClient.connect({ url: server.url, deadlines: SHORT, note });
  await client.infer({ prompt: "first" });
  await client.infer({ prompt: "second" });
  assert.deepEqual(server.questions.map(({ prompt }) => prompt), ["first", "second", "second", "second"]);
  assert.equal(server.connections, 3);
  assert.equal(notes.length, 2);
  await assert.rejects(client.infer({}), /3 connections in a row broke, the last: it closed with code 1001/);
});

Deno.test("OpenpiClient finds a server that was started again; another policy in its place is an error", async () => {
  const first = servePolicy(reacting({ bytes: reply }));
  using client = await OpenpiClient.connect({ url: first.url, deadlines: SHORT });
  await first[Symbol.asyncDispose]();
  const restarted = servePolicy(reacting({ bytes: reply }), first.port);
  await client.infer({});
  await restarted[Symbol.asyncDispose]();
  const metadata = () => ({ model: "pi0_libero" });
  await using _other = servePolicy({ ...reacting({ bytes: reply }), metadata }, first.port);
  await assert.rejects(client.infer({}), /another policy answers there now/);
});

Deno.test("OpenpiClient ends at its deadlines: no server, no greeting, no answer", async () => {
  await using server = servePolicy(reacting("silence", { bytes: reply }));
  using client = await OpenpiClient.connect({ url: server.url, deadlines: SHORT });
  await assert.rejects(client.infer({}), {
    message: `Cannot get actions from ${server.url}: no answer within 0.3 s`,
  });
  // The answer to the question that was given up would come first on the old connection.
  await client.infer({});
  assert.equal(server.connections, 2);

  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `ws://127.0.0.1:${listener.addr.port}`;
  const deadlines = { connect: 600, answer: 300 };
  await assert.rejects(OpenpiClient.connect({ url, deadlines }), {
    message:
      `Cannot reach the policy server at ${url} within 0.6 s (it did not greet): start it or name another`,
  });
  listener.close();
  await assert.rejects(OpenpiClient.connect({ url, deadlines }), /within 0\.6 s \(.*connect.*\): start it/);
  await assert.rejects(
    OpenpiClient.connect({ url: "http://x" }),
    /Cannot use "http:\/\/x" as a policy server/,
  );
});

Deno.test("OpenpiClient refuses garbage in one line", async () => {
  await using server = servePolicy(
    reacting({ bytes: Uint8Array.of(0xc1, 1, 2) }, { bytes: Uint8Array.of(0x93) }),
  );
  using client = await OpenpiClient.connect({ url: server.url, deadlines: SHORT });
  await assert.rejects(client.infer({}), /^Error: Cannot get actions from ws:.*cannot be read/);
  await assert.rejects(client.infer({}), /^Error: Cannot get actions from ws:.*cannot be read/);
});

Deno.test("actionsOf() refuses answers without a chunk of finite actions", () => {
  const chunk = (shape: number[], data: Float32Array) => () =>
    actionsOf({ actions: wireArray(shape, data) }, 7);
  assert.throws(() => actionsOf({ action: 1 }, 7), /has no array "actions"/);
  assert.throws(chunk([2, 32], new Float32Array(64)), /have shape \[2,32\], wanted \[H, 7\]/);
  assert.throws(chunk([7], new Float32Array(7)), /have shape \[7\]/);
  assert.throws(chunk([1, 7], new Float32Array(7).fill(NaN)), /not all of its actions are finite/);
});

Deno.test("liberoObservation() mirrors upright pictures and fits them into 224 x 224", () => {
  const side = 256;
  const picture = (mark: number): Image => {
    const data = new Uint8Array(side * side * 3);
    // A bright corner at the top left of the upright picture.
    for (let y = 0; y < 32; y++) data.fill(mark, y * side * 3, y * side * 3 + 96);
    return { width: side, height: side, data };
  };
  const images = { agentview: picture(200), robot0_eye_in_hand: picture(100) };
  const proprioception = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const message = liberoObservation({ proprioception, images } as unknown as Observation, "do it");
  assert.deepEqual(Object.keys(message), [
    "observation/image",
    "observation/wrist_image",
    "observation/state",
    "prompt",
  ]);
  for (const [name, mark] of [["observation/image", 200], ["observation/wrist_image", 100]] as const) {
    const array = message[name];
    assert.ok(isWireArray(array));
    assert.deepEqual([array.dtype, array.shape], ["|u1", [224, 224, 3]]);
    assert.deepEqual([array.data[0], array.data[223 * 3], array.data.at(-1)], [0, mark, 0]);
  }
  assert.deepEqual(message["observation/state"], wireArray([8], proprioception));
  assert.throws(() => liberoObservation({ proprioception, images: {} } as unknown as Observation, ""), {
    message: "Cannot show a policy camera agentview: the world was opened without it",
  });
});

Deno.test("plain() makes equal metadata equal JSON, whatever the order of their names", () => {
  const array = wireArray([2], Float32Array.of(1, 2));
  assert.equal(JSON.stringify(plain({ b: 1, a: array })), JSON.stringify(plain({ a: array, b: 1 })));
  assert.deepEqual(plain({ a: array, n: NaN }), {
    a: { dtype: "<f4", shape: [2], data: "0000803f00000040" },
    n: "NaN",
  });
});
