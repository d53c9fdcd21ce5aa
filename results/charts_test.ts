import assert from "node:assert/strict";
import { forest, learningCurves } from "./charts.ts";
import { wilson } from "./statistics.ts";
import { fit, textWidth, ticks } from "./svg.ts";

const row = (label: string, successes: number, n: number, colour: number) => ({
  label,
  interval: wilson(successes, n),
  count: `${successes}/${n}`,
  colour,
});

/** Tags in order of opening, closed ones checked: enough to know the text is well-formed XML. */
function elements(svg: string): string[] {
  const open: string[] = [];
  const all: string[] = [];
  for (const [, close, name, empty] of svg.matchAll(/<(\/?)([a-z]+)(?:\s[a-zA-Z-]+="[^"<>]*")*(\/?)>/g)) {
    if (close) assert.equal(open.pop(), name);
    else {
      all.push(name!);
      if (!empty) open.push(name!);
    }
  }
  assert.deepEqual(open, []);
  assert.equal(svg.replace(/<[^<>]*>/g, "").includes("<"), false);
  return all;
}

Deno.test("forest() draws a row a policy, told in words too", () => {
  const svg = forest({
    title: "Success",
    subtitle: "95 %",
    groups: [{ rows: [row("before", 20, 50, 0), row("a < b & c", 50, 50, 1)] }],
  });
  assert.equal(elements(svg).filter((name) => name === "circle").length, 2);
  assert.match(svg, /^<svg [^>]*role="img"[^>]*>\n<title>Success<\/title>\n/);
  assert.match(
    svg,
    /<desc>before 20\/50, 40\.0 % \[27\.6, 53\.8\]; a &lt; b &amp; c 50\/50, 100\.0 % \[92\.9, 100\.0\]<\/desc>/,
  );
  assert.doesNotMatch(svg, /NaN|undefined/);
});

Deno.test("forest() keeps labels and numbers inside the figure and apart", () => {
  const long = "a policy with a name that is much too long to be shown whole beside its bar";
  const svg = forest({
    title: long.repeat(3),
    subtitle: long.repeat(3),
    groups: [{ heading: long.repeat(3), rows: [row(long, 4500, 5000, 0), row("b", 5000, 5000, 1)] }],
  });
  const texts = [
    ...svg.matchAll(
      /<text x="([\d.]+)" y="([\d.]+)" font-size="(\d+)"[^>]*?( text-anchor="\w+")?(?: font-weight="\d+")?>([^<]*)</g,
    ),
  ];
  const boxes = texts.map(([, x, y, size, anchor, content]) => {
    const width = textWidth(content!, Number(size));
    const left = Number(x) - (anchor?.includes("end") ? width : anchor?.includes("middle") ? width / 2 : 0);
    return { left, right: left + width, y: Number(y), content };
  });
  assert.ok(boxes.length > 10);
  for (const box of boxes) {
    assert.ok(box.left >= 0 && box.right <= 760, `${box.content}: ${box.left} to ${box.right}`);
  }
  for (const a of boxes) {
    for (const b of boxes) {
      if (a !== b && a.y === b.y && a.left <= b.left) {
        assert.ok(a.right <= b.left, `"${a.content}" runs into "${b.content}"`);
      }
    }
  }
});

Deno.test("learningCurves() leaves gaps where nothing was measured", () => {
  const svg = learningCurves({
    title: "Learning",
    xLabel: "environment steps",
    reference: { label: "before", rate: 0.4 },
    curves: [{ label: "after", x: [0, 1000, 2000, 3000], y: [NaN, 0.5, NaN, 1], colour: 1 }],
  });
  const names = elements(svg);
  assert.equal(names.filter((name) => name === "polyline").length, 2);
  assert.equal(names.filter((name) => name === "circle").length, 2);
  assert.match(svg, /after: 100\.0 % after 3k; before: 40\.0 %/);
  assert.doesNotMatch(svg, /NaN|undefined/);
});

Deno.test("learningCurves() of an empty curve is an empty chart", () => {
  const svg = learningCurves({
    title: "Learning",
    xLabel: "steps",
    curves: [{ label: "a", x: [], y: [], colour: 0 }],
  });
  elements(svg);
  assert.doesNotMatch(svg, /NaN|undefined/);
});

Deno.test("ticks() are round and reach the greatest value", () => {
  assert.deepEqual(ticks(40_000, 6), [0, 10_000, 20_000, 30_000, 40_000]);
  assert.deepEqual(ticks(57_000, 6), [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  assert.deepEqual(ticks(7, 6), [0, 2, 4, 6, 8]);
  assert.deepEqual(ticks(0, 6), [0, 1]);
});

Deno.test("fit() cuts with an ellipsis", () => {
  assert.equal(fit("short", 12, 100), "short");
  assert.equal(fit("a rather long text", 12, 60), "a rather…");
});
