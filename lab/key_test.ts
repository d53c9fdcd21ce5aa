import assert from "node:assert/strict";
import { type KeyParts, stageKey } from "./key.ts";

const linux = { deno: "2.9.6", os: "linux", arch: "x86_64", threads: 2 } as const;
const reference: KeyParts = {
  entry: "stages/evaluate.ts",
  code: { modules: { "stages/evaluate.ts": "11".repeat(32) }, packages: { "zod@4.6.7": "sha512-abc" } },
  parameters: { episodes: 50, tasks: ["left", "right"], noise: 0.1 },
  inputs: { policy: `sha256:${"22".repeat(32)}`, episodes: [`sha256:${"33".repeat(32)}`] },
  outputs: { evaluation: "evaluation" },
  seed: 7,
};

// A new value here retires every stored result: the CHANGELOG says why.
Deno.test("stageKey() of reference stages is pinned", () => {
  assert.equal(
    stageKey(reference, linux).key,
    "d93aebccadfac1aea2fe0f8af5f15544a80453c323a57d4fd33451d1a5363142",
  );
  const empty = { ...reference, parameters: {}, inputs: {}, code: { modules: {}, packages: {} }, seed: 0 };
  assert.equal(
    stageKey(empty, linux).key,
    "9ae8db6f48854ab23ad2bd61abc4be4401072b0e92907a7e87a9d0a3a5150bc6",
  );
});

Deno.test("stageKey() changes with each of its parts", () => {
  const variants: KeyParts[] = [
    reference,
    { ...reference, entry: "stages/clone.ts" },
    { ...reference, code: { ...reference.code, modules: { "stages/evaluate.ts": "12".repeat(32) } } },
    { ...reference, code: { ...reference.code, packages: { "zod@4.6.7": "sha512-abd" } } },
    { ...reference, parameters: { episodes: 50, tasks: ["right", "left"], noise: 0.1 } },
    {
      ...reference,
      inputs: { policy: `sha256:${"33".repeat(32)}`, episodes: [`sha256:${"22".repeat(32)}`] },
    },
    { ...reference, outputs: { evaluation: "metrics" } },
    { ...reference, seed: 8 },
  ];
  const keys = new Set(variants.map((parts) => stageKey(parts, linux).key));
  keys.add(stageKey(reference, { ...linux, deno: "2.9.7" }).key);
  keys.add(stageKey(reference, { ...linux, arch: "aarch64" }).key);
  keys.add(stageKey(reference, { ...linux, threads: 4 }).key);
  assert.equal(keys.size, variants.length + 3);
});
