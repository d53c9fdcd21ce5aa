import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { asset, assets } from "./assets.ts";
// The page's own module: what it computes is compared with node:crypto's.
import { createHash as ours } from "./client/sha256.js";

Deno.test("the page's SHA-256 equals node:crypto's, for every length around a block", () => {
  for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 1000]) {
    const text = "é".repeat(length % 7) + "a".repeat(length);
    const theirs = createHash("sha256").update(text).digest();
    const digest = ours("sha256").update(text).digest();
    assert.deepEqual([...digest], [...theirs], String(length));
    assert.equal(digest.readUInt32LE(4), theirs.readUInt32LE(4));
  }
});

Deno.test("assets are what pages import and nothing else, as browsers take them", async () => {
  const all = await assets();
  for (const path of ["envs/tabletop.ts", "random.ts", "node_modules/three/build/three.module.js"]) {
    assert.ok(all.has(path), path);
  }
  for (const path of all) assert.ok(!path.includes("lab/") && !path.endsWith(".tsx"), path);
  for (const path of all) {
    const { bytes, type } = (await asset(path))!;
    if (!type.startsWith("text/javascript")) continue;
    const text = new TextDecoder().decode(bytes);
    const bare = [...text.matchAll(/^(?:import|export)\b[^"'`;]*?from\s*["']([^./][^"']*)["']/gm)].map((
      [, name],
    ) => name);
    assert.deepEqual(bare, [], `${path} imports by a name that browsers do not know`);
    assert.ok(!/^\s*(interface|import type|export type) /m.test(text), `${path} has types`);
  }
  assert.equal(await asset("deno.json"), undefined);
});
