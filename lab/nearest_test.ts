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

Deno.test("suggestion() lists the names where none is close", () => {
  assert.equal(suggestion("reward", ["alpha", "gamma", "tau"]), "; there are alpha, gamma, tau");
  assert.equal(suggestion("reward", ["tau"]), "; there is tau");
  // A third of a long name may be wrong, two letters of a short one.
  assert.equal(suggestion("learner.gam", ["learner.gamma"]), ', did you mean "learner.gamma"');
  assert.equal(suggestion("tao", new Set(["tau"]).values()), ', did you mean "tau"');
  assert.equal(suggestion("xyz", ["tau"]), "; there is tau");
  assert.equal(suggestion("xyz", ["a.tau", "a.xi", "bias"], ["a.*", "bias"]), "; there are a.*, bias");
});
