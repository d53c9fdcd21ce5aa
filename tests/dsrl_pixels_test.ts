/** DSRL from pictures as an experiment: the whole graph in a minute. */
import assert from "node:assert/strict";
import { exp, type RunDocument, states, temporary } from "./lab_command.ts";

Deno.test("dsrl-tabletop from pictures: its smoke graph runs, and answers from the store", async () => {
  await using store = await temporary();
  const ask = (verb: string) =>
    exp([verb, "dsrl-tabletop", "--preset", "pixels-smoke", "--store", store.path, "--json"]);
  const first = await ask("run");
  assert.equal(first.code, 0, first.stderr);
  const made: RunDocument = JSON.parse(first.stdout);
  assert.ok(Object.values(states(made)).every((state) => state === "run"));
  assert.ok(made.stages.some(({ name }) => name === "evaluate.dsrl-sampled"));
  const again: RunDocument = JSON.parse((await ask("run")).stdout);
  assert.equal(again.result, made.result);
  assert.ok(Object.values(states(again)).every((state) => state === "hit"));
});
