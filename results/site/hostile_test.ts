import assert from "node:assert/strict";
import { join } from "node:path";
import { stream } from "../../random.ts";
import { addRun, trialStore } from "../../tests/trial_store.ts";
import { createSite } from "./app.tsx";

/** Requests in all; 10,000 take ten times as long and end the same. */
const REQUESTS = 1000;
const SECRET = "what no answer may hold";

/** A pseudo-random hostile request line and its headers, as raw bytes of HTTP/1.1. */
function hostile(draws: ReturnType<typeof stream>, digest: string): string {
  const pick = <T>(from: readonly T[]) => from[Math.floor(draws.uniform() * from.length)]!;
  const up = pick(["../", "..%2f", "%2e%2e/", "..\\", "....//", "%252e%252e%252f", "..%c0%af", "/"]);
  const path = pick([
    `/${up.repeat(6)}etc/passwd`,
    `/objects/${up}${up}secret.txt`,
    `/objects/sha256:${up}secret.txt`,
    `/objects/${digest}`,
    `/objects/${digest.toUpperCase()}`,
    `/modules/${up}secret.txt`,
    `/modules/envs/${up}${up}deno.json`,
    `/stages/${"f".repeat(64)}${up}`,
    `/stages/${digest.slice(7)}/log/${up}`,
    `/episodes/${digest}?episode=${pick(["-1", "1e99", "NaN", "0x10", "%00"])}&run=${up}`,
    `/experiments/${up}?seed=${pick(["-1", "9".repeat(400), "%ff", "__proto__"])}`,
    `/compare?of=${up}&of=__proto__@constructor`,
    `/?page=${pick(["-5", "1e300", "0;DROP TABLE runs", "'"])}&sort=${
      pick(["uplift", "'; --", "constructor"])
    }`,
    `/matrix?experiment=%27%20OR%201=1--`,
    `/%ff%fe/${"a".repeat(Math.floor(3000 * draws.uniform()))}`,
    `/${"%41".repeat(Math.floor(4000 * draws.uniform()))}`,
  ]);
  const headers = [
    `Host: ${pick(["127.0.0.1", "127.0.0.1", "127.0.0.1", "evil.example", "a b", ""])}`,
    `Range: ${
      pick([
        "bytes=-",
        "bytes=9999999999999999-",
        "bytes=0-0,1-1,2-2",
        "bytes=--5",
        "bytes=5-1",
        "x".repeat(500),
      ])
    }`,
    `If-None-Match: ${pick(["*", "W/", '"', `"${digest}"`, "é"])}`,
    `Cookie: ${pick(["uplift_token=x", "=;=;=", "a".repeat(2000)])}`,
    `X-Large: ${"y".repeat(Math.floor(20_000 * draws.uniform()))}`,
    "Connection: close",
  ];
  const method = pick(["GET", "GET", "GET", "HEAD", "POST", "TRACE", "BREW"]);
  return `${method} ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`;
}

async function send(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    let answer = "";
    const buffer = new Uint8Array(1 << 16);
    for (
      let n = await connection.read(buffer);
      n !== null && answer.length < 1 << 20;
      n = await connection.read(buffer)
    ) {
      answer += new TextDecoder("latin1").decode(buffer.subarray(0, n));
    }
    return answer;
  } catch (error) {
    // The server may hang up on what is no HTTP.
    if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return "";
    throw error;
  }
}

Deno.test("a thousand hostile requests and slow clients neither stop the server nor leak a file", async () => {
  using at = trialStore();
  const { keys, definition } = addRun(at.store, { experiment: "x", definition: "a1", seed: 0 });
  const digest = at.store.outcome(keys.train!)!.outputs.out!.digest;
  Deno.writeTextFileSync(join(at.directory, "secret.txt"), SECRET);
  Deno.writeTextFileSync(join(at.directory, "..", "secret.txt"), SECRET);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    createSite({ store: at.directory }).fetch,
  );
  const { port } = server.addr;
  const slow: Deno.TcpConn[] = [];
  try {
    for (let i = 0; i < 50; i++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      // Half a request, or a whole one whose answer is never read.
      const text = i % 2
        ? "GET / HTTP/1.1\r\nHost: 127"
        : `GET /objects/${digest} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
      await connection.write(new TextEncoder().encode(text));
      slow.push(connection);
    }
    const draws = stream(0, "hostile");
    const statuses = new Map<string, number>();
    for (let done = 0; done < REQUESTS; done += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => send(port, hostile(draws, digest))));
      for (const answer of answers) {
        assert.ok(
          !answer.includes(SECRET) && !answer.includes("root:") && !answer.includes('"nodeModulesDir"'),
        );
        const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? "none";
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }
    assert.equal(statuses.get("500") ?? 0, 0, `the server failed: ${JSON.stringify([...statuses])}`);
    assert.ok((statuses.get("404") ?? 0) > REQUESTS / 10, JSON.stringify([...statuses]));
    const page = await send(
      port,
      `GET /experiments/${definition} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
    );
    assert.match(page, /^HTTP\/1\.1 200/);
    assert.match(page, /evaluate\.after/);
  } finally {
    for (const connection of slow) connection.close();
    await server.shutdown();
  }
});
