/**
 * Both ends of our openpi protocol against openpi's own code, 1,000 calls each, with what goes wrong. By hand, with a Python
 * that has openpi-client, websockets and msgpack (docs/openpi.md):
 *
 *   deno run -A tests/openpi_interop.ts PYTHON
 */
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { actionsOf, type Message, OpenpiClient } from "../policies/openpi.ts";
import { serveOpenpi } from "../policies/openpi_server.ts";
import { openServed } from "../stages/served_flow.ts";
import { HORIZON, storedPolicy } from "./served_policy.ts";

const CALLS = 1000;
const KEY = "a key of at least sixteen";
const [python] = Deno.args;
if (python === undefined) {
  console.error(
    "Cannot start openpi's side without a Python: name one that has openpi-client and websockets",
  );
  Deno.exit(2);
}
const script = fileURLToPath(new URL("fixtures/openpi_peer.py", import.meta.url));

function peer(...args: string[]) {
  const child = new Deno.Command(python!, { args: [script, ...args], stdout: "piped", stderr: "inherit" })
    .spawn();
  const lines = createInterface({ input: Readable.fromWeb(child.stdout as never) })[Symbol.asyncIterator]();
  return { child, line: async () => JSON.parse((await lines.next()).value ?? "{}") };
}

const milliseconds = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1]!;

/** openpi's client asks our server. */
async function theirClient() {
  await using served = await openServed(storedPolicy(20, []));
  await using server = serveOpenpi(served, {
    port: 0,
    apiKey: KEY,
    note: (line) => console.error(`  ${line}`),
  });
  const url = `ws://127.0.0.1:${server.port}`;
  const { child, line } = peer("client", url, String(CALLS), "20", String(HORIZON), KEY);
  const said = await line();
  assert.equal((await child.status).code, 0);
  assert.equal(said.calls, CALLS);
  assert.equal(said.repeated, true);
  assert.deepEqual(said.metadata, JSON.parse(JSON.stringify(served.metadata)));
  assert.match(
    said.failures["wrong shape"],
    /^RuntimeError: Cannot act on "observation\/state" of shape \[3\]/,
  );
  assert.match(said.failures["no state"], /^RuntimeError: Cannot act without "observation\/state"/);
  assert.match(said.failures["wrong noise"], /^RuntimeError: Cannot start from "noise" of shape \[1,2\]/);
  assert.match(said.failures["256 MB"], /Connection|sent 1|BrokenPipe/);
  console.log(
    `openpi's client, our server: ${CALLS} calls, ${said.median_ms.toFixed(2)} ms each`,
    said.failures,
  );
}

/** Our client asks a server made of openpi's packer and Python's websockets. */
async function theirServer() {
  const { child, line } = peer("serve");
  try {
    const { port } = await line();
    const url = `ws://127.0.0.1:${port}`;
    const notes: string[] = [];
    const deadlines = { connect: 5000, answer: 20_000 };
    using client = await OpenpiClient.connect({ url, deadlines, note: (text) => notes.push(text) });
    assert.deepEqual(client.metadata, { model: "peer" });
    const times: number[] = [];
    for (let i = 0; i < CALLS; i++) {
      const start = performance.now();
      const { horizon, actions } = actionsOf(await client.infer({ number: i / 1024, horizon: 10 }), 7);
      times.push(performance.now() - start);
      assert.equal(horizon, 10);
      assert.ok(actions.every((x) => x === i / 1024), `answer ${i} is not that of question ${i}`);
    }
    const failures: Record<string, string> = {};
    const fails = async (name: string, message: Message, wanted: RegExp) => {
      const start = performance.now();
      await assert.rejects(
        async () => actionsOf(await client.infer({ number: 0, ...message }), 7),
        (error) => {
          assert.match(String(error), wanted);
          failures[name] = `${(error as Error).message} (${
            ((performance.now() - start) / 1000).toFixed(1)
          } s)`;
          return true;
        },
      );
    };
    await fails("killed connection", { do: "drop" }, /3 connections in a row broke/);
    assert.equal(notes.length, 2);
    await fails("text error frame", { do: "error" }, /the server says "KeyError: 'observation\/state'"/);
    await fails("wrong shape", { do: "shape" }, /its actions have shape \[10,32\], wanted \[H, 7\]/);
    await fails("garbage", { do: "garbage" }, /what the policy server sent cannot be read/);
    await fails("256 MB", { do: "large" }, /its frame is larger than 64 MiB$/);
    await fails("silence", { do: "silence" }, /no answer within 20 s/);
    // After all that it still answers.
    actionsOf(await client.infer({ number: 1 }), 7);
    child.kill("SIGKILL");
    await fails("killed server", {}, /Cannot reach the policy server at ws:.* within 5 s/);
    console.log(
      `our client, openpi's server: ${CALLS} calls, ${milliseconds(times).toFixed(2)} ms each`,
      failures,
    );
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await child.status;
  }
}

await theirClient();
await theirServer();
console.log("all as wanted");
