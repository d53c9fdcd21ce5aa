import assert from "node:assert/strict";
import { encodeEpisodes } from "../data/episodes_arrow.ts";
import { encodeSafetensors } from "../data/safetensors.ts";
import { type Columns, encodeTable } from "../data/table.ts";
import { type NDArray, ndarray, type Tensors } from "../ndarray.ts";
import { compareOutputs, type Comparison } from "./compare.ts";

const kernel = (changes: Record<number, number> = {}): NDArray =>
  ndarray([3, 4], Float32Array.from({ length: 12 }, (_, i) => changes[i] ?? i / 4));
const weights = (tensors: Tensors) => encodeSafetensors(tensors);
const text = (value: string) => new TextEncoder().encode(value);

function check(kind: string, a: Uint8Array, b: Uint8Array, expected: Comparison) {
  assert.deepEqual(compareOutputs(kind, a, b), expected);
}

Deno.test("compareOutputs() of equal bytes is bitwise, whatever the kind", () => {
  for (const kind of ["weights", "episodes", "policy", "document", "anything"]) {
    check(kind, text("x"), text("x"), { verdict: "bitwise" });
  }
});

Deno.test("compareOutputs() of weights names the first tensor and element", () => {
  check(
    "weights",
    weights({ a: kernel(), b: kernel() }),
    weights({ a: kernel(), b: kernel({ 6: 1.75, 7: 2 }) }),
    {
      verdict: "different",
      first: 'tensor "b" at [1,2]: 1.5 and 1.75; 2 of 24 numbers differ, by 1.4e-1 of their size at most',
    },
  );
  assert.equal(
    compareOutputs("weights", weights({ a: kernel() }), weights({ a: kernel({ 6: 1.50001 }) })).verdict,
    "close",
  );
  check("weights", weights({ a: kernel({ 1: 0 }) }), weights({ a: kernel({ 1: -0 }) }), {
    verdict: "equal",
    first: "byte 79 of 120 and 120, values are equal",
  });
  assert.equal(
    compareOutputs("weights", weights({ a: kernel({ 0: NaN }) }), weights({ a: kernel() })).verdict,
    "different",
  );
});

Deno.test("compareOutputs() of weights names tensors that only one side has, and other shapes", () => {
  check("weights", weights({ a: kernel() }), weights({ b: kernel() }), {
    verdict: "different",
    first: 'tensor "a" is only in the first',
  });
  check("weights", weights({ a: kernel() }), weights({ a: ndarray([12]) }), {
    verdict: "different",
    first: 'tensor "a": Float32Array [3,4] and Float32Array [12]',
  });
});

Deno.test("compareOutputs() of tables names the first row and column", () => {
  const table = (changes: Columns = {}) =>
    encodeTable({
      task: ["a", "b"],
      success: Uint8Array.of(1, 0),
      loss: Float64Array.of(0.5, NaN),
      ...changes,
    });
  check("evaluation", table(), table({ success: Uint8Array.of(1, 1) }), {
    verdict: "different",
    first: 'row 1 of column "success": 0 and 1; 1 of 4 numbers differ, by 1.0e+0 of their size at most',
  });
  check("metrics", table(), table({ task: ["a", "c"] }), {
    verdict: "different",
    first: 'row 1 of column "task": "b" and "c"',
  });
  assert.equal(
    compareOutputs("metrics", table(), table({ loss: Float64Array.of(0.500001, NaN) })).verdict,
    "close",
  );
  check("metrics", table(), table({ loss: Float32Array.of(0.5, NaN) }), {
    verdict: "different",
    first: 'column "loss": rows of Float64Array [] and Float32Array []',
  });
  check("metrics", encodeTable({ a: ["x"] }), encodeTable({ a: ["x", "y"] }), {
    verdict: "different",
    first: "1 rows and 2",
  });
  check("metrics", encodeTable({ a: ["x"], b: ["y"] }), encodeTable({ b: ["y"], a: ["x"] }), {
    verdict: "equal",
    first: compareOutputs("policy", encodeTable({ a: ["x"], b: ["y"] }), encodeTable({ b: ["y"], a: ["x"] }))
      .first +
      ", values are equal",
  });
});

Deno.test("compareOutputs() of episodes names the place in a vector", () => {
  const episodes = (action: Float32Array) =>
    encodeEpisodes([{
      task: "pick",
      roles: { target: "bowl", goal: "plate" },
      split: "training",
      index: 0,
      success: true,
      length: 2,
      columns: { action: ndarray([2, 3], action), state: ndarray([3, 1]) },
      tags: {},
    }]);
  check("episodes", episodes(new Float32Array(6)), episodes(Float32Array.of(0, 0, 0, 0, 0, 0.5)), {
    verdict: "different",
    first:
      'row 1 of column "action" at [2]: 0 and 0.5; 1 of 21 numbers differ, by 1.0e+0 of their size at most',
  });
});

Deno.test("compareOutputs() of JSON is blind to the order of keys and names the path", () => {
  check("document", text('{"a":1,"b":[0.5]}'), text('{"b": [0.5], "a": 1}'), {
    verdict: "equal",
    first: "byte 2 of 17 and 20, values are equal",
  });
  check("normalization", text('{"a":{"n":[1,2]}}'), text('{"a":{"n":[1,3]}}'), {
    verdict: "different",
    first: "$.a.n[1]: 2 and 3; 1 of 2 numbers differ, by 3.3e-1 of their size at most",
  });
  assert.equal(compareOutputs("document", text("[0.1]"), text("[0.100001]")).verdict, "close");
  check("document", text('{"a":null}'), text('{"a":{}}'), {
    verdict: "different",
    first: "$.a: null and {}",
  });
});

Deno.test("compareOutputs() of programs, and of bytes it cannot read, names the first byte", () => {
  check("policy", Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2), {
    verdict: "different",
    first: "byte 2 of 3 and 2",
  });
  check("weights", Uint8Array.of(1), weights({ a: kernel() }), {
    verdict: "different",
    first: "byte 0 of 1 and 120; Cannot read 1 bytes as safetensors: the header length alone takes 8",
  });
});
