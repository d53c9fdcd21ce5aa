import assert from "node:assert/strict";
import { unifiedDiff } from "./text_difference.ts";

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join("");

Deno.test("unifiedDiff() of equal texts is empty", () => {
  assert.equal(unifiedDiff("a\nb\n", "a\nb\n"), "");
});

// Expected texts: GNU diffutils 3.8, `diff -u`, without the two file lines.
Deno.test("unifiedDiff() prints hunks as diff -u does", () => {
  const before = numbered(1, 30);
  assert.equal(
    unifiedDiff(before, before.replace("5\n6\n", "five\n6\n")),
    "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8",
  );
  const two = unifiedDiff(before, before.replace("\n5\n", "\n").replace("\n20\n", "\n20\nnew\n"));
  assert.equal(
    two,
    "@@ -2,7 +2,6 @@\n 2\n 3\n 4\n-5\n 6\n 7\n 8\n@@ -18,6 +17,7 @@\n 18\n 19\n 20\n+new\n 21\n 22\n 23",
  );
});

Deno.test("unifiedDiff() joins changes whose contexts touch", () => {
  const text = unifiedDiff(
    numbered(1, 20),
    numbered(1, 20).replace("\n5\n", "\nx\n").replace("\n11\n", "\ny\n"),
  );
  assert.equal(text.match(/@@ /g)!.length, 1);
  const apart = unifiedDiff(
    numbered(1, 20),
    numbered(1, 20).replace("\n5\n", "\nx\n").replace("\n13\n", "\ny\n"),
  );
  assert.equal(apart.match(/^@@ /gm)!.length, 2);
});

Deno.test("unifiedDiff() from and to nothing", () => {
  assert.equal(unifiedDiff("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b");
  assert.equal(unifiedDiff("a\n", ""), "@@ -1 +0,0 @@\n-a");
});
