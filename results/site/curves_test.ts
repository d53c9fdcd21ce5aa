import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { encodeTable } from "../../data/table.ts";
import { asset, assets } from "./assets.ts";
// The page's own module: what it computes is compared with node:crypto's.
import { createHash as ours } from "./client/sha256.js";
import { minMax } from "./decimate.ts";
import { graphSvg } from "./graph_svg.ts";
import { seedCurve } from "./seed_curves.ts";

Deno.test("minMax() keeps ends, spikes and gaps of a long series, and all of a short one", () => {
  const n = 10_000;
  const x = Array.from({ length: n }, (_, i) => i);
  const y = x.map((i) => Math.sin(i / 500));
  y[1234] = 9;
  y[7777] = -9;
  y[5000] = NaN;
  const kept = minMax(x, y, 100);
  assert.ok(kept.length <= 302, String(kept.length));
  for (const i of [0, 1234, 5000, 7777, n - 1]) assert.ok(kept.includes(i), String(i));
  assert.deepEqual(kept, kept.toSorted((a, b) => a - b));
  assert.deepEqual(minMax(x, y, 100), kept);
  assert.deepEqual(minMax([5, 6, 7], [1, 2, 3], 2), [0, 1, 2]);
  assert.deepEqual(minMax([], [], 4), []);
  assert.equal(minMax(Array(50).fill(3), x.slice(0, 50), 4).length, 2, "x without extent");
});

const table = (values: number[], xs = values.map((_, i) => 10 * i)) =>
  encodeTable({
    steps: Float64Array.from(xs),
    success: Float64Array.from(values),
    episodes: Float64Array.from(values, () => 20),
  });

Deno.test("seedCurve() draws one seed with Wilson's band, several with Student's, and says n", () => {
  const one = seedCurve("a", "success", [{ seed: 0, bytes: table([0.5, 0.9]) }], 100)!;
  assert.deepEqual([one.x, one.mean, one.n], [[0, 10], [0.5, 0.9], [1, 1]]);
  // Wilson's interval of 10 in 20: scipy.stats.binomtest(10, 20).proportion_ci(method="wilson").
  assert.ok(Math.abs(one.low[0]! - 0.2992980082) < 1e-9 && Math.abs(one.high[0]! - 0.7007019918) < 1e-6);
  const seeds = [[0.2, 0.4], [0.4, 0.6], [0.6, NaN]].map((values, seed) => ({ seed, bytes: table(values) }));
  const three = seedCurve("a", "success", seeds, 100)!;
  assert.deepEqual(three.n, [3, 2]);
  assert.ok(Math.abs(three.mean[0]! - 0.4) < 1e-12);
  // 0.4 -+ t(0.975, 2) * 0.2 / sqrt(3) = 0.4 -+ 0.4968275: cut at 0.
  assert.equal(three.low[0], 0);
  assert.ok(Math.abs(three.high[0]! - 0.8968275) < 1e-6);
  assert.match(three.method, /mean of 3 seeds/);
  assert.equal(seedCurve("a", "loss", seeds, 100), undefined);
  const later = seedCurve("a", "success", [...seeds, { seed: 9, bytes: table([1], [77]) }], 100)!;
  assert.deepEqual([later.x, later.n, later.low[2]], [[0, 10, 77], [3, 2, 1], null]);
});

Deno.test("graphSvg() places every node once, after what it needs, and escapes its texts", () => {
  const node = (name: string, needs: string[]) => ({ name, needs, state: "done", detail: "<1 s" });
  const svg = graphSvg([node("a", []), node("b", ["a"]), node("c", ["a", "b"]), {
    ...node("d&", ["c"]),
    href: "/x?a=1&b",
  }]);
  assert.equal(svg.match(/<rect/g)!.length, 4);
  assert.equal(svg.match(/class="edge"/g)!.length, 4);
  const xs = [...svg.matchAll(/<rect x="([\d.]+)"/g)].map(([, x]) => Number(x));
  assert.deepEqual(xs, xs.toSorted((a, b) => a - b));
  assert.ok(svg.includes("d&amp;") && svg.includes('href="/x?a=1&amp;b"') && svg.includes("&lt;1 s"));
});

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
