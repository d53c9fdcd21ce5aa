/** DSRL on a policy behind openpi's protocol: the whole graph of `dsrl-aloha`. Skipped, with the reason, without ALOHA. */
import assert from "node:assert/strict";
import { alohaPython } from "../envs/aloha_install.ts";
import { exp, type RunDocument, states, temporary } from "./lab_command.ts";

let reason = "";
try {
  alohaPython();
} catch (error) {
  reason = ` (skipped: ${error instanceof Error ? error.message : error})`;
}

Deno.test({
  name: `dsrl-aloha: its smoke graph runs on a tiny policy, and answers from the store${reason}`,
  ignore: reason !== "",
  async fn() {
    await using store = await temporary();
    const ask = (verb: string) =>
      exp([verb, "dsrl-aloha", "--preset", "smoke", "--store", store.path, "--json"]);
    const first = await ask("run");
    assert.equal(first.code, 0, first.stderr);
    const made: RunDocument = JSON.parse(first.stdout);
    assert.ok(Object.values(states(made)).every((state) => state === "run"));
    const again: RunDocument = JSON.parse((await ask("run")).stdout);
    assert.equal(again.result, made.result);
    assert.ok(Object.values(states(again)).every((state) => state === "hit"));
  },
});
