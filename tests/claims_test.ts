/** `exp claims`: claims about the lab's own test experiment, and the form of those that are shipped. */
import assert from "node:assert/strict";
import { labelsOf } from "../results/claim_verdict.ts";
import type { Claim } from "../results/claim.ts";
import { exp, temporary } from "./lab_command.ts";

const CLAIMS = ["claims", "--claims", "tests/lab_claims", "--experiments", "tests/lab_reports/"];

Deno.test("claims are judged on stored results; one that fails gives exit 1", async () => {
  await using folder = await temporary();
  const store = ["--store", folder.path];
  const before = await exp([...CLAIMS, ...store]);
  assert.equal(before.code, 0, before.stderr);
  assert.equal(before.stdout.match(/not yet measured/g)!.length, 5);
  assert.match(before.stdout, /\nTo measure what is missing:\n {2}exp run tiny-coins --seed 0\n/);
  await exp(["run", "tiny-coins", "--experiments", "tests/lab_reports/", ...store, "--seed", "0,1"]);
  const { code, stdout } = await exp([...CLAIMS, ...store, "--json"]);
  assert.equal(code, 1);
  const { claims } = JSON.parse(stdout);
  const said = claims.map(({ name, verdict, reason }: Record<string, string>) => [name, verdict, reason]);
  assert.deepEqual(said, [
    ["coins-alike", "fails", "control and loaded differ with seed 0"],
    ["control-wins", "fails", "+18.8 [+2.9, +34.6], not shown"],
    ["loaded-wins", "holds", "+51.2 [+37.5, +65.0]"],
    ["many-coins", "not yet measured", "measured on 80 of 1000 episodes"],
    ["third-seed", "not yet measured", "seed 7 not in the store"],
  ]);
  assert.deepEqual([claims[2].foretold, claims[4].foretold], [true, null]);
  assert.equal((await exp([...CLAIMS, "loaded-wins", ...store])).code, 0);
  const unknown = await exp([...CLAIMS, "loaded-win", ...store]);
  assert.deepEqual([unknown.code, unknown.lines], [2, [
    'Cannot find claim "loaded-win", did you mean "loaded-wins"',
  ]]);
});

Deno.test("every shipped claim fits its experiment: labels, settings and version", async () => {
  await using folder = await temporary();
  const { code, stdout, stderr } = await exp(["claims", "--json", "--store", folder.path]);
  assert.equal(code, 0, stderr);
  const { claims } = JSON.parse(stdout) as { claims: { claim: Claim; verdict: string; reason: string }[] };
  assert.ok(claims.length >= 8);
  for (const { claim, verdict, reason } of claims) {
    assert.ok(labelsOf(claim).length > 0);
    assert.equal(verdict, "not yet measured");
    assert.match(reason, /^seeds? [\d, ]+ not in the store$/, claim.name);
  }
});
