/** `exp doctor NAME`: what an experiment lacks here, line by line. */
import assert from "node:assert/strict";
import { serveOpenpi } from "../policies/openpi_server.ts";
import { tinyPi0 } from "../stages/tiny_pi0.ts";
import { exp, temporary } from "./lab_command.ts";

interface Line {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly mend?: string;
}

Deno.test("exp doctor names what an experiment lacks here, and the command that gets it", async () => {
  await using store = await temporary();
  const ask = async (...args: string[]) => {
    const { code, stdout, stderr } = await exp(["doctor", ...args, "--store", store.path, "--json"]);
    const checks: Line[] = stdout === "" ? [] : JSON.parse(stdout).checks;
    return { code, stderr, named: new Map(checks.map((check) => [check.name, check])) };
  };
  await using server = serveOpenpi(tinyPi0, { port: 0 });
  const [tabletop, served, absent, unknown, smoke] = await Promise.all([
    ask("pld-tabletop"),
    ask("dsrl-aloha", "--set", `policy.url=ws://127.0.0.1:${server.port}`),
    ask("dsrl-aloha", "--set", "policy.url=ws://127.0.0.1:9"),
    ask("dsrl-aloh"),
    ask("dsrl-aloha", "--preset", "smoke"),
  ]);
  assert.deepEqual([tabletop.code, [...tabletop.named.keys()]], [0, ["plan"]]);
  assert.match(served.named.get("policy server")!.detail, /answers, it says \{"noise":\[50,32\]/);
  assert.ok(!served.named.has("policy server's gpu"), "a server that answers has what it needs");
  const missing = absent.named.get("policy server")!;
  assert.deepEqual([absent.code, missing.ok], [1, false]);
  assert.match(missing.mend!, /serve_policy\.py policy:checkpoint --policy\.config=pi0_aloha_sim/);
  assert.ok(absent.named.has("policy server's gpu"));
  const aloha = absent.named.get("aloha")!;
  assert.equal(aloha.mend, "deno task setup:aloha");
  assert.ok(!smoke.named.has("policy server"), "the tiny policy is in the stage");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /^Cannot check "dsrl-aloh".*dsrl-aloha/);
});
