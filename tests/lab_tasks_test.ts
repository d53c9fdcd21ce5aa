import assert from "node:assert/strict";
import { Catalog } from "../lab/catalog.ts";

Deno.test("deno.json has one task exp:NAME for every experiment, and no other", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  const declared = Object.keys(tasks).filter((task) => task.startsWith("exp:")).sort();
  assert.deepEqual(declared, new Catalog().names.map((name) => `exp:${name}`).sort());
  for (const task of declared) {
    assert.equal(tasks[task], `deno run -A tasks/exp.ts run ${task.slice("exp:".length)}`);
  }
});
