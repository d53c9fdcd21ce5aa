/** The server against our client and against raw websockets; against openpi's own: tests/openpi_interop.ts. */
import assert from "node:assert/strict";
import fixture from "../tests/fixtures/openpi.json" with { type: "json" };
import { isWireArray, pack, unpack, wireArray } from "./msgpack_numpy.ts";
import { type Message, OpenpiClient } from "./openpi.ts";
import { type Place, type Served, serveOpenpi } from "./openpi_server.ts";

const actions = wireArray([2, 7], new Float32Array(14).fill(0.25));

/** A policy that remembers what it was asked. */
function policy(infer: (observation: Message) => Promise<Message> = () => Promise.resolve({ actions })) {
  const asked: { observation: Message; place: Place }[] = [];
  const served: Served = {
    metadata: { model: "tiny" },
    infer(observation, place) {
      asked.push({ observation, place });
      return infer(observation);
    },
  };
  return { served, asked };
}

/** A raw connection: what it hears, and how it ended. */
function raw(port: number, protocols?: string[]) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, protocols);
  socket.binaryType = "arraybuffer";
  const heard: (string | ArrayBuffer)[] = [];
  const closed = Promise.withResolvers<number>();
  const greeted = Promise.withResolvers<void>();
  socket.onmessage = ({ data }) => {
    heard.push(data);
    greeted.resolve();
  };
  socket.onerror = () => {};
  socket.onclose = ({ code }) => closed.resolve(code);
  return { socket, heard, closed: closed.promise, greeted: greeted.promise };
}

Deno.test("serveOpenpi() greets, reads what openpi's client packs, and times its answers", async () => {
  const { served, asked } = policy();
  let time = 100;
  await using server = serveOpenpi(served, { port: 0, clock: () => time++ });
  const { socket, heard, closed, greeted } = raw(server.port);
  await greeted;
  assert.deepEqual(unpack(new Uint8Array(heard[0] as ArrayBuffer)), { model: "tiny" });
  socket.send(Uint8Array.fromHex(fixture.observation));
  socket.send(Uint8Array.fromHex(fixture.observation));
  while (heard.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  const [first, second] = heard.slice(1).map((data) =>
    unpack(new Uint8Array(data as ArrayBuffer)) as Message
  );
  assert.deepEqual(first!.actions, actions);
  assert.deepEqual(first!.policy_timing, { infer_ms: 1 });
  assert.deepEqual(first!.server_timing, { infer_ms: 1 });
  assert.deepEqual(Object.keys(second!.server_timing as object), ["infer_ms", "prev_total_ms"]);
  assert.equal(asked[0]!.observation.prompt, "put the bowl on the plate");
  assert.ok(isWireArray(asked[0]!.observation["observation/image"]));
  assert.deepEqual(asked.map(({ place }) => place), [
    { connection: 0, question: 0 },
    { connection: 0, question: 1 },
  ]);
  socket.close();
  await closed;
});

Deno.test("an error is a text frame, then the connection closes with 1011; the next one is served", async () => {
  const { served } = policy((observation) =>
    observation.bad ? Promise.reject(new Error("Cannot act: it is bad")) : Promise.resolve({ actions })
  );
  await using server = serveOpenpi(served, { port: 0 });
  const url = `ws://127.0.0.1:${server.port}`;
  using client = await OpenpiClient.connect({ url });
  await assert.rejects(client.infer({ bad: true }), {
    message: `Cannot get actions from ${url}: the server says "Cannot act: it is bad"`,
  });
  await client.infer({});
  for (
    const [frame, reason] of [
      ["text", "Cannot read a text frame: an observation is a binary frame"],
      [Uint8Array.of(0xc1), /^Cannot read an observation: /],
      [Uint8Array.of(0x93, 1, 2, 3), "Cannot read an observation: it must be a map of names"],
      [
        new Uint8Array(33 * 2 ** 20),
        "Cannot read a frame of 34603008 bytes: an observation has at most 33554432",
      ],
    ] as const
  ) {
    const { socket, heard, closed, greeted } = raw(server.port);
    await greeted;
    socket.send(frame);
    assert.equal(await closed, 1011);
    if (typeof reason === "string") assert.equal(heard[1], reason);
    else assert.match(String(heard[1]), reason);
  }
});

Deno.test("one question at a time over all connections, and no more than a few ahead", async () => {
  let running = 0, most = 0;
  const never = Promise.withResolvers<void>();
  const { served } = policy(async ({ forever }) => {
    most = Math.max(most, ++running);
    await (forever ? never.promise : new Promise((resolve) => setTimeout(resolve, 10)));
    running--;
    return { actions };
  });
  await using server = serveOpenpi(served, { port: 0 });
  const url = `ws://127.0.0.1:${server.port}`;
  await Promise.all([0, 1, 2].map(async () => {
    using client = await OpenpiClient.connect({ url });
    for (let i = 0; i < 3; i++) await client.infer({});
  }));
  assert.equal(most, 1);
  const { socket, heard, closed, greeted } = raw(server.port);
  await greeted;
  for (let i = 0; i < 17; i++) socket.send(pack({ forever: true }));
  assert.equal(await closed, 1011);
  assert.ok(heard.includes("Cannot take more than 16 questions ahead: await the answers"));
  never.resolve();
});

Deno.test("the API key lets in, /healthz answers anybody, pages of a browser stay out", async () => {
  const { served } = policy();
  assert.throws(() => serveOpenpi(served, { port: 0, hostname: "0.0.0.0" }), {
    message: "Cannot serve a policy on 0.0.0.0 without an API key: others could use it",
  });
  await using guarded = serveOpenpi(served, { port: 0, apiKey: "secret" });
  const url = `ws://127.0.0.1:${guarded.port}`;
  using client = await OpenpiClient.connect({ url, apiKey: "secret" });
  await client.infer({});
  await assert.rejects(OpenpiClient.connect({ url, apiKey: "secrex" }), /refuses the API key$/);
  await assert.rejects(OpenpiClient.connect({ url }), /refuses clients without an API key$/);
  const health = await fetch(`http://127.0.0.1:${guarded.port}/healthz`);
  assert.deepEqual([health.status, await health.text()], [200, "OK\n"]);

  await using open = serveOpenpi(served, { port: 0 });
  const page = await fetch(`http://127.0.0.1:${open.port}/`, { headers: { Origin: "http://evil.example" } });
  assert.deepEqual([page.status, await page.text()], [403, "Forbidden\n"]);
  const visit = await fetch(`http://127.0.0.1:${open.port}/`);
  assert.equal(visit.status, 426);
  await visit.body?.cancel();
});
