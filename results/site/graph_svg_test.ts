import assert from "node:assert/strict";
import { graphSvg } from "./graph_svg.ts";

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
