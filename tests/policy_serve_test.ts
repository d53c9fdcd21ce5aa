/** `exp policy serve` as people start it: a policy of the store by its digest, and what it refuses. */
import assert from "node:assert/strict";
import { join } from "node:path";
import golden from "../data/fixtures/norm_stats.json" with { type: "json" };
import { decodeNormalizations } from "../data/normalization.ts";
import { Store } from "../lab/store.ts";
import { wireArray } from "../policies/msgpack_numpy.ts";
import { actionsOf, OpenpiClient } from "../policies/openpi.ts";
import { exp, temporary } from "./lab_command.ts";
import { HORIZON, storedPolicy } from "./served_policy.ts";

/** A store that holds a random policy and nothing else. */
async function stored() {
  const folder = await temporary();
  const path = join(folder.path, "store");
  const { weights, normalization } = storedPolicy(20, []);
  using store = Store.open(path);
  for (const { bytes } of [weights, normalization]) store.objects.put(bytes, store.writer);
  return { ...folder, path, weights: weights.digest, normalization: normalization.digest };
}

Deno.test("exp policy serve answers openpi's protocol until it is told to stop", async () => {
  await using t = await stored();
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "tasks/exp.ts", "policy", "serve", t.weights, "--normalization", t.normalization],
      ...["--port", "0", "--store", t.path, "--json"],
    ],
    cwd: new URL("../", import.meta.url),
    stdout: "piped",
    stderr: "null",
  });
  await using child = command.spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { url, metadata } = JSON.parse((await reader.read()).value!);
  assert.equal(metadata.weights, t.weights);
  using client = await OpenpiClient.connect({ url });
  const answer = await client.infer({ "observation/state": wireArray([20], new Float32Array(20)) });
  assert.equal(actionsOf(answer, 7).horizon, HORIZON);
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 0);
  await reader.cancel();
});

Deno.test("exp policy serve refuses in one line what it cannot serve", async () => {
  await using t = await stored();
  const refused = async (code: number, message: RegExp, ...args: string[]) => {
    const ended = await exp(["policy", "serve", ...args, "--store", t.path]);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.lines.at(-1)!, message);
  };
  const named = [t.weights, "--normalization", t.normalization];
  await Promise.all([
    refused(2, /^Cannot serve weights without their units: give --normalization/, t.weights),
    refused(2, /^Cannot serve "base": name a policy as experiment\/stage or by its digest$/, "base"),
    refused(2, /^Cannot listen on 0\.0\.0\.0 without a token: /, ...named, "--host", "0.0.0.0"),
    refused(2, /^Cannot use so short a token: /, ...named, "--token", "short"),
    refused(1, /^Cannot guide a flow policy: /, ...named, "--guidance", "2"),
    refused(2, /^Cannot find policy "bas" in pld-tabletop.*base/, "pld-tabletop/bas"),
    refused(2, /^Cannot serve "demonstrations": it makes no policy with /, "pld-tabletop/demonstrations"),
    refused(2, /^Cannot serve pld-tabletop\/base: it is not in the store, run "deno/, "pld-tabletop/base"),
  ]);
});

Deno.test("exp policy units puts statistics into the store under the digest of their formula", async () => {
  await using t = await temporary();
  const file = join(t.path, "norm_stats.json");
  await Deno.writeTextFile(file, JSON.stringify({ norm_stats: { state: golden.stats } }));
  const ask = (...args: string[]) =>
    exp(["policy", "units", file, ...args, "--store", join(t.path, "store"), "--json"]);
  const [openpi, again, lerobot, refused] = await Promise.all([
    ask("--kind", "quantile", "--formula", "openpi"),
    ask("--kind", "quantile", "--formula", "openpi"),
    ask("--kind", "quantile", "--formula", "lerobot"),
    ask("--kind", "quantile"),
  ]);
  const made = JSON.parse(openpi.stdout);
  assert.equal(JSON.parse(again.stdout).digest, made.digest);
  assert.notEqual(JSON.parse(lerobot.stdout).digest, made.digest);
  using store = Store.open(join(t.path, "store"));
  assert.deepEqual(decodeNormalizations(store.objects.read(made.digest)), made.units);
  assert.equal(refused.code, 2);
  assert.match(
    refused.lines.at(-1)!,
    /^Cannot make units without knowing how the policy was trained: give --kind/,
  );
});
