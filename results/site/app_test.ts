import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { seal } from "../../lab/sealed.ts";
import { addRecords, addRun, trialStore } from "../../tests/trial_store.ts";
import { createSite } from "./app.tsx";
import { Reader } from "./reader.ts";
import { reportOf, viewRun } from "./run_view.ts";

const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(2)>'&{{7*7}}`;

/** Asks a site and reads the whole answer. */
async function ask(site: ReturnType<typeof createSite>, path: string, init?: RequestInit) {
  const answer = await site.request(`http://localhost${path}`, init);
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text };
}

Deno.test("every page of a finished run answers, says its numbers, and needs no script", async () => {
  using at = trialStore();
  const first = addRun(at.store, { experiment: "reach-better", definition: "a1", seed: 0 });
  addRun(at.store, { experiment: "reach-better", definition: "a1", seed: 1, rates: [0.5, 0.6] });
  const site = createSite({ store: at.directory, experiments: ["reach-better", "never-tried"] });
  const list = await ask(site, "/");
  assert.match(list.text, /1 definition, page 1 of 1/);
  assert.match(list.text, /<b>37\.5 %<\/b>/, "the mean of both seeds before");
  assert.match(list.text, /<b>67\.5 %<\/b>/, "and after");
  assert.match(list.text, /never run here: never-tried/);
  const page = await ask(site, `/experiments/${first.definition}?seed=0`);
  assert.match(page.text, /5\/20/);
  assert.match(page.text, /15\/20/);
  assert.match(page.text, /mean of 2 seeds, band: Student/);
  assert.match(page.text, /<td class="r"><code>0\.99<\/code><\/td>/, "the method's own value");
  assert.match(page.text, /short episodes/);
  assert.match(page.text, /evaluate\.before/);
  for (const key of Object.values(first.keys)) {
    const stage = await ask(site, `/stages/${key}`);
    assert.equal(stage.status, 200);
    assert.ok(stage.text.includes(key) && stage.text.includes("uplift/stage-key"));
    assert.equal((await ask(site, `/stages/${key}/log/0`)).text, `0.000 stage ${nameOf(first.keys, key)}\n`);
  }
  const of = [0, 1].map((seed) => `of=${first.definition}@${seed}`).join("&");
  assert.match((await ask(site, `/compare?${of}`)).text, /evaluate\.after\/out/);
  assert.match((await ask(site, "/matrix")).text, /75\.0 %/);
  assert.match((await ask(site, "/live")).text, /Nothing runs/);
  for (const path of ["/", `/experiments/${first.definition}`, "/matrix", "/live", "/compare"]) {
    const { text, status, headers } = await ask(site, path);
    assert.equal(status, 200, path);
    assert.ok(!/<script(?![^>]* src=)/.test(text), `${path} has a script inside`);
    assert.ok(!/ style="| on\w+="/.test(text), `${path} has a style or a handler inside`);
    assert.match(headers.get("content-security-policy")!, /script-src 'self';/);
  }
});

const nameOf = (keys: Record<string, string>, key: string) =>
  Object.entries(keys).find(([, each]) => each === key)![0];

Deno.test("hostile texts of an experiment stay texts on every page", async () => {
  using at = trialStore();
  const given = {
    experiment: HOSTILE,
    summary: HOSTILE,
    set: [`learner.steps=${HOSTILE}`],
    entry: `stages/${HOSTILE}.ts`,
  };
  const { definition, keys } = addRun(at.store, { definition: "b2", seed: 0, ...given });
  addRun(at.store, { definition: "c3", seed: 0, ...given, rates: [0, 1] });
  const site = createSite({ store: at.directory, experiments: [HOSTILE] });
  const encoded = encodeURIComponent(HOSTILE);
  const paths = [
    "/",
    `/?q=${encoded}&experiment=${encoded}&sort=${encoded}`,
    `/experiments/${definition}?metric=${encoded}`,
    `/experiments/${encoded}`,
    ...Object.values(keys).map((key) => `/stages/${key}`),
    `/stages/${encoded}`,
    `/episodes/${encoded}`,
    `/compare?of=${definition}&of=${"c3".repeat(32)}`,
    `/compare?of=${encoded}&of=${definition}@${encoded}`,
    `/matrix?experiment=${encoded}`,
    `/${encoded}`,
  ];
  for (const path of paths) {
    const { text, status } = await ask(site, path);
    assert.ok(status === 200 || status === 404, `${path}: ${status}`);
    assert.ok(!text.includes("<script>alert"), path);
    assert.ok(!/<img/.test(text), path);
  }
});

Deno.test("objects carry their digest: ETag, 304, ranges, 416, and bytes that are compared first", async () => {
  using at = trialStore();
  const { keys } = addRun(at.store, { experiment: "x", definition: "a1", seed: 0 });
  const { digest, bytes } = at.store.outcome(keys.train!)!.outputs.out!;
  const site = createSite({ store: at.directory });
  const path = `/objects/${digest}`;
  const get = (headers: Record<string, string> = {}) => site.request(`http://localhost${path}`, { headers });
  const whole = await get();
  const body = new Uint8Array(await whole.arrayBuffer());
  assert.equal(`sha256:${createHash("sha256").update(body).digest("hex")}`, digest);
  const etag = whole.headers.get("etag")!;
  assert.equal(etag, `"${digest.slice(7)}"`);
  assert.match(whole.headers.get("cache-control")!, /immutable/);
  assert.match(whole.headers.get("content-disposition")!, /^attachment/);
  assert.match(whole.headers.get("content-security-policy")!, /sandbox/);
  for (const condition of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    assert.equal((await get({ "if-none-match": condition })).status, 304, condition);
  }
  const ranges: [string, number, number][] = [
    ["bytes=0-9", 0, 10],
    [`bytes=${bytes - 5}-`, bytes - 5, bytes],
    ["bytes=-7", bytes - 7, bytes],
    [`bytes=10-${bytes + 99}`, 10, bytes],
    ["bytes=-999999", 0, bytes],
  ];
  for (const [range, from, to] of ranges) {
    const part = await get({ range });
    assert.equal(part.status, 206, range);
    assert.equal(part.headers.get("content-range"), `bytes ${from}-${to - 1}/${bytes}`);
    assert.deepEqual(new Uint8Array(await part.arrayBuffer()), body.subarray(from, to));
  }
  for (const range of [`bytes=${bytes}-`, "bytes=-0"]) {
    const answer = await get({ range });
    assert.equal(answer.status, 416, range);
    assert.equal(answer.headers.get("content-range"), `bytes */${bytes}`);
    await answer.body?.cancel();
  }
  for (const range of ["bytes=5-2", "bytes=0-1,4-5", "lines=0-1", "bytes=-", "bytes=a-b", "bytes=1e9-"]) {
    const answer = await get({ range });
    assert.equal(answer.status, 200, range);
    await answer.body?.cancel();
  }
  const stale = await get({ range: "bytes=0-9", "if-range": '"other"' });
  assert.equal(stale.status, 200);
  await stale.body?.cancel();
  const fresh = await get({ range: "bytes=0-9", "if-range": etag });
  assert.equal(fresh.status, 206);
  await fresh.body?.cancel();
  // A changed byte is found, though size and name are right, and is not sent.
  const file = at.store.objects.path(digest);
  Deno.chmodSync(file, 0o644);
  body[3]! ^= 1;
  Deno.writeFileSync(file, body);
  const damaged = await get();
  assert.equal(damaged.status, 410);
  assert.match(await damaged.text(), /do not match, run exp fsck/);
  assert.ok(Deno.statSync(file).isFile, "the site only reads: moving it aside is fsck's");
});

Deno.test("no address reaches a file that is not an object or an asset", async () => {
  using at = trialStore();
  addRun(at.store, { experiment: "x", definition: "a1", seed: 0 });
  Deno.writeTextFileSync(join(at.directory, "secret.txt"), "a secret");
  const site = createSite({ store: at.directory });
  const attempts = [
    "/objects/sha256:../../secret.txt",
    "/objects/..%2f..%2fsecret.txt",
    `/objects/sha256:${"a".repeat(63)}%2e`,
    "/stages/..%2f..%2fsecret.txt",
    "/stages/%00",
    `/stages/${"a".repeat(64)}/log/..%2f..%2f..%2fsecret.txt`,
    "/modules/deno.json",
    "/modules/../deno.json",
    "/modules/%2e%2e/deno.json",
    "/modules/results/site/client/../../../deno.lock",
    "/modules/results/site/client/%2e%2e/app.tsx",
    "/modules/lab/store.ts",
    "/modules//etc/passwd",
    "/modules/node_modules/three/package.json",
    "/experiments/..%2f..%2fsecret",
    "/episodes/sha256:..",
  ];
  for (const path of attempts) {
    const { status, text } = await ask(site, path);
    assert.equal(status, 404, path);
    assert.ok(!text.includes("a secret") && !text.includes('"imports"'), path);
  }
});

Deno.test("only reading requests of known hosts are answered; elsewhere a token is needed", async () => {
  using at = trialStore();
  const site = createSite({ store: at.directory });
  const status = async (url: string, init?: RequestInit) => (await site.request(url, init)).status;
  for (const host of ["localhost:8080", "127.0.0.1", "[::1]:99"]) {
    assert.equal(await status("http://x/", { headers: { host } }), 200, host);
  }
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8080", ""]) {
    assert.equal(await status("http://x/", { headers: { host } }), 421, host);
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    assert.equal(await status("http://localhost/", { method }), 405, method);
  }
  assert.equal(await status(`http://localhost/?q=${"x".repeat(5000)}`), 414);
  const cross = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
  assert.equal(await status("http://localhost/", { headers: cross }), 403);
  const token = "0123456789abcdef";
  assert.throws(() => createSite({ store: at.directory, hosts: "any" }), /without a token/);
  for (let i = 0; i < 70; i++) {
    assert.equal(await status("http://localhost/live/events", { method: "HEAD" }), 200);
  }
  const guarded = createSite({ store: at.directory, hosts: ["lab.example"], token });
  assert.equal((await guarded.request("http://lab.example/")).status, 403);
  assert.equal((await guarded.request("http://lab.example/?token=0123456789abcdeX")).status, 403);
  const entry = await guarded.request(`http://lab.example/matrix?token=${token}`);
  assert.deepEqual([entry.status, entry.headers.get("location")], [302, "/matrix"]);
  const cookie = entry.headers.get("set-cookie")!;
  assert.match(cookie, /HttpOnly; SameSite=Strict/);
  assert.equal(
    (await guarded.request("http://lab.example/", { headers: { cookie: cookie.split(";")[0]! } })).status,
    200,
  );
});

Deno.test("a store that is missing, damaged or half gone is told about, not fallen over", async () => {
  const nowhere = createSite({ store: "/nonexistent/store" });
  for (const path of ["/", "/live", "/matrix", "/compare"]) {
    assert.equal((await ask(nowhere, path)).status, 200, path);
  }
  using at = trialStore();
  const { definition, keys } = addRun(at.store, { experiment: "x", definition: "a1", seed: 0 });
  addRun(at.store, { experiment: "y", definition: "b2", seed: 0 });
  Deno.writeTextFileSync(
    join(at.directory, "runs", `${"b2".repeat(32)}-0.json`),
    '{"seal":"x","document":{}}',
  );
  const newer = seal({ kind: "uplift/run", version: 99, runs: ["of another form"] });
  Deno.writeFileSync(join(at.directory, "runs", `${"d4".repeat(32)}-0.json`), newer);
  const object = at.store.objects.path(at.store.outcome(keys.train!)!.outputs.out!.digest);
  Deno.removeSync(object);
  const site = createSite({ store: at.directory });
  const list = await ask(site, "/");
  assert.match(list.text, /2 records left out, damaged or of another version of the store \(b2b2/);
  assert.match(list.text, /1 definition, page 1 of 1/);
  const page = await ask(site, `/experiments/${definition}`);
  assert.equal(page.status, 200);
  assert.match(page.text, /Outcomes of train are missing or damaged/);
  assert.equal((await ask(site, `/experiments/${"b2".repeat(32)}`)).status, 404);
  assert.equal((await ask(site, `/stages/${keys.train}`)).status, 200);
  assert.throws(() => Deno.statSync(join(at.directory, "quarantine")), Deno.errors.NotFound);
});

Deno.test("a thousand experiments are paged, sorted and filtered, each row once", async () => {
  using at = trialStore();
  const { definition } = addRun(at.store, { experiment: "first", definition: "a1", seed: 0 });
  const reader = new Reader(at.directory);
  const view = viewRun(reader, definition, 0);
  assert.ok(view !== "missing" && view !== "damaged");
  addRecords(at.store, { definition, seed: 0, count: 999, report: reportOf(reader, view) });
  const site = createSite({ store: at.directory });
  const rows = (text: string) =>
    [...text.matchAll(/name="of" value="([0-9a-f]{64})"/g)].map(([, hash]) => hash!);
  const seen = new Set<string>();
  for (let page = 1; page <= 20; page++) {
    const { text } = await ask(site, `/?sort=uplift&page=${page}`);
    assert.equal(rows(text).length, 50);
    for (const hash of rows(text)) seen.add(hash);
  }
  assert.equal(seen.size, 1000);
  const filtered = await ask(site, "/?experiment=trial-3&sort=created&order=up");
  assert.match(filtered.text, /14[23] definitions, page 1 of 3/);
  const one = await ask(site, `/?q=${[...seen][500]!.slice(0, 20)}`);
  assert.deepEqual(rows(one.text), [[...seen][500]]);
  assert.match((await ask(site, "/?q=nothing+like+it&page=99999999999999999999")).text, /Nothing here yet/);
});
