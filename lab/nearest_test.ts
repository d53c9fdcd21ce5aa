import assert from "node:assert/strict";
import { distance, nearest, suggestion } from "./nearest.ts";

Deno.test("distance() counts insertions, deletions and substitutions", () => {
  // The textbook pair.
  assert.equal(distance("kitten", "sitting"), 3);
  assert.equal(distance("", "abc"), 3);
  assert.equal(distance("same", "same"), 0);
});

Deno.test("nearest() and suggestion() name the nearest candidate, if there is one", () => {
  assert.equal(nearest("gama", ["alpha", "gamma", "tau"]), "gamma");
  assert.equal(suggestion("x", []), "");
  assert.equal(suggestion("gama", ["gamma"]), ', did you mean "gamma"');
});
