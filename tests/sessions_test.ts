/** What sessions leave behind, by `bench/sessions.ts` in a process of its own: only there garbage can be collected. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=4,--max-semi-space-size=4";
const COUNT = 60;
/** MiB: what warms up meanwhile is less, 50 KB left by each session and learner would be more. */
const LARGEST = 2.5;

Deno.test({
  name:
    `${COUNT} sessions and learners that are created, run and disposed leave no memory in use, on the CPU`,
  ignore: Deno.build.os !== "linux", // asks glibc
  fn: async () => {
    const script = fileURLToPath(new URL("../bench/sessions.ts", import.meta.url));
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", FLAGS, script, "--count", String(COUNT), "--json"],
    });
    const { code, stdout, stderr } = await command.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const { memory } = JSON.parse(new TextDecoder().decode(stdout)) as {
      memory: Record<string, { used: number }[]>;
    };
    assert.deepEqual(Object.keys(memory), ["onnxruntime-node", "C API, CPU"]);
    for (const [name, seen] of Object.entries(memory)) {
      const grown = seen.at(-1)!.used - seen[0]!.used;
      assert.ok(grown < LARGEST, `${name}: ${grown} MiB more in use: ${JSON.stringify(seen)}`);
    }
  },
});
