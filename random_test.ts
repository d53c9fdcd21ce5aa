import assert from "node:assert/strict";
import { Stream, stream, threefry2x32 } from "./random.ts";

// Known answers of Random123 1.14 (tests/kat_vectors), threefry2x32 with 20 rounds.
const knownAnswers = [
  { counter: [0, 0], key: [0, 0], words: [0x6b200159, 0x99ba4efe] },
  {
    counter: [0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x1cb996fc, 0xbb002be7],
  },
  { counter: [0x243f6a88, 0x85a308d3], key: [0x13198a2e, 0x03707344], words: [0xc4923a9c, 0x483df7a0] },
] as const;

Deno.test("threefry2x32() gives the published known answers", () => {
  const out = new Uint32Array(2);
  for (const { counter, key, words } of knownAnswers) {
    threefry2x32(key[0], key[1], counter[0], counter[1], out);
    assert.deepEqual([...out], [...words]);
  }
});

Deno.test("stream() continues from its stored counter", () => {
  const a = stream(3, "episode", 1);
  a.fillNormal(new Float32Array(7));
  const b = new Stream(a.key, a.counter);
  assert.equal(b.uniform(), a.uniform());
  assert.equal(b.integer(10), a.integer(10));
});

Deno.test("stream() separates seeds and names", () => {
  const first = [stream(0, "a"), stream(1, "a"), stream(0, "b"), stream(0, "a", 0)].map((s) => s.uniform());
  assert.equal(new Set(first).size, 4);
});

Deno.test("stream() refuses a negative seed", () => {
  assert.throws(() => stream(-1), { message: /seed -1: it must be a non-negative integer/ });
});

Deno.test("normal and uniform numbers have the moments of their laws", () => {
  const n = 200_000;
  const normal = stream(1, "normal").fillNormal(new Float32Array(n));
  const mean = normal.reduce((s, x) => s + x, 0) / n;
  const fourth = normal.reduce((s, x) => s + x ** 4, 0) / n;
  assert.ok(Math.abs(mean) < 4 / Math.sqrt(n), `mean ${mean}`);
  assert.ok(Math.abs(fourth - 3) < 4 * Math.sqrt(96 / n), `fourth moment ${fourth}`);
  const uniform = stream(1, "uniform").fillUniform(new Float32Array(n), -1, 1);
  const variance = uniform.reduce((s, x) => s + x * x, 0) / n;
  assert.ok(Math.abs(variance - 1 / 3) < 4 * Math.sqrt(4 / 45 / n), `variance ${variance}`);
});

Deno.test("normal() is Box and Muller's transform of one block, to the library's sine and cosine", () => {
  const words = new Uint32Array(2);
  for (let i = 0; i < 1000; i++) {
    const key = stream(5, "pair", i).key;
    threefry2x32(key[0], key[1], 0, 0, words);
    const radius = Math.sqrt(-2 * Math.log((words[0]! + 0.5) / 2 ** 32));
    // Quadrant from the top bits, and an angle centred in it from the others.
    const angle = (words[1]! >>> 30) * Math.PI / 2 + ((words[1]! & 0x3fffffff) / 2 ** 30 - 0.5) * Math.PI / 2;
    const pair = new Stream(key).fillNormal(new Float32Array(2));
    assert.ok(Math.abs(new Stream(key).normal() - radius * Math.cos(angle)) < 1e-12 * (1 + radius));
    assert.ok(Math.abs(pair[1]! - radius * Math.sin(angle)) < 1e-6 * (1 + radius));
  }
});

Deno.test("permutation() holds every index once", () => {
  assert.deepEqual([...stream(2, "order").permutation(50)].sort((a, b) => a - b), [...Array(50).keys()]);
});
