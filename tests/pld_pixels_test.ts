/** PLD from pictures as an experiment: the whole graph in a minute, and what is refused before anything runs. */
import assert from "node:assert/strict";
import { exp, type RunDocument, states, temporary } from "./lab_command.ts";

Deno.test("pld-tabletop from pictures: its smoke graph runs through a ResNet that the report names, and answers from the store", async () => {
  await using store = await temporary();
  const ask = (verb: string) =>
    exp([verb, "pld-tabletop", "--preset", "pixels-smoke", "--store", store.path, "--json"]);
  const first = await ask("run");
  assert.equal(first.code, 0, first.stderr);
  const made: RunDocument = JSON.parse(first.stdout);
  assert.ok(Object.values(states(made)).every((state) => state === "run"));
  assert.ok(made.stages.some(({ name }) => name === "trunk.random"));
  assert.match(first.stdout, /"path": "pixels\.trunk",\s+"value": "random"/);
  const again: RunDocument = JSON.parse((await ask("run")).stdout);
  assert.equal(again.result, made.result);
  assert.ok(Object.values(states(again)).every((state) => state === "hit"));
});

Deno.test("a ResNet without named weights, and a replay beyond the limit, are refused before anything runs", async () => {
  await using store = await temporary();
  const refused = async (...set: string[]) => {
    const more = ["observation=pixels", ...set].flatMap((each) => ["--set", each]);
    const { code, stderr } = await exp(["run", "pld-tabletop", ...more, "--store", store.path]);
    assert.notEqual(code, 0);
    return stderr;
  };
  assert.match(await refused(), /^Cannot see through a ResNet without weights: .* pixels\.trunk=random/m);
  assert.match(
    await refused("pixels.trunk=random", "pixels.memory=4"),
    /^Cannot learn from pictures within 4\.0 GiB \(pixels\.memory\): replay of 250000 transitions 7\.92 GiB/m,
  );
});
