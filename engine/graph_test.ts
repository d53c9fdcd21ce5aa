import assert from "node:assert/strict";
import { countUses, Graph, topological } from "./graph.ts";
import { elementwise } from "./operators.ts";

Deno.test("add() gives the value that exists already", () => {
  const graph = new Graph();
  const x = graph.input("x", [2]);
  assert.equal(elementwise(graph, "Tanh", [x]), elementwise(graph, "Tanh", [x]));
  assert.notEqual(elementwise(graph, "Tanh", [x]), elementwise(graph, "Exp", [x]));
  assert.equal(graph.constant([1, 2], [2], "float32"), graph.constant([1, 2], [2], "float32"));
  assert.notEqual(graph.constant([1, 2], [2], "float32"), graph.constant([1, 2], [2, 1], "float32"));
});

Deno.test("splats tell 0 from -0, and NaN from the infinities", () => {
  const graph = new Graph();
  const all = [0, -0, NaN, Infinity, -Infinity].map((value) => graph.splat(value));
  assert.equal(new Set(all).size, 5);
  assert.equal(graph.splat(NaN), all[2]);
});

Deno.test("constant() of equal elements is a splat, of none is a constant", () => {
  const graph = new Graph();
  assert.equal(graph.constant([3, 3, 3], [3], "float32").op, "Splat");
  assert.equal(graph.constant([0, -0], [2], "float32").op, "Constant");
  assert.equal(graph.constant([], [0], "float32").op, "Constant");
});

Deno.test("constant() copies its elements", () => {
  const elements = Float32Array.of(1, 2);
  const value = new Graph().constant(elements, [2], "float32");
  elements[0] = 9;
  assert.deepEqual(new Float32Array(value.data!.buffer), Float32Array.of(1, 2));
});

Deno.test("topological() puts inputs first and counts each value once", () => {
  const graph = new Graph();
  const x = graph.input("x", []);
  const y = elementwise(graph, "Mul", [x, x]);
  const z = elementwise(graph, "Add", [y, x]);
  assert.deepEqual(topological([z, y]), [x, y, z]);
  assert.equal(countUses([z, y]).get(x), 3);
  assert.equal(countUses([z, y]).get(y), 2);
});

Deno.test("topological() walks chains deeper than the call stack", () => {
  const graph = new Graph();
  let x = graph.input("x", []);
  for (let i = 0; i < 100_000; i++) x = graph.add({ op: "Tanh", inputs: [x], shape: [], dtype: "float32" });
  assert.equal(topological([x]).length, 100_001);
});
