import assert from "node:assert/strict";
import { copiedWhenRead, filled, Layout, under } from "./layout.ts";
import { ndarray } from "../../../ndarray.ts";

const shapes = { "state/w": [2, 3], "state/step": [], "batch/x": [-1, 65] };

Deno.test("shapes are chosen by prefix, and K is put where it is open", () => {
  assert.deepEqual(under(shapes, "state/"), { w: [2, 3], step: [] });
  assert.deepEqual(filled(under(shapes, "batch/"), 4), { x: [4, 65] });
});

Deno.test("arrays begin at multiples of 256 bytes, and come back as they were written", () => {
  const layout = new Layout({ ...under(shapes, "state/"), ...filled(under(shapes, "batch/"), 1) });
  const places = [...layout.places].map(([name, { offset, bytes }]) => [name, offset, bytes]);
  assert.deepEqual(places, [["w", 0, 24], ["step", 256, 4], ["x", 512, 260]]);
  assert.equal(layout.bytes, 1024);
  const arrays = {
    w: ndarray([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)),
    step: ndarray([], Float32Array.of(7)),
    x: ndarray([1, 65], new Float32Array(65).fill(8)),
  };
  const block = new ArrayBuffer(2 * layout.bytes);
  layout.write(block, arrays, { at: layout.bytes });
  assert.deepEqual(layout.read(block, layout.bytes), arrays);
  assert.ok(new Uint8Array(block, 0, layout.bytes).every((byte) => byte === 0), "written beside its place");
});

Deno.test("of batches one part is written", () => {
  const layout = new Layout({ x: [2] }), block = new ArrayBuffer(layout.bytes);
  const batches = { x: ndarray([3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)) };
  layout.write(block, batches, { part: 1 });
  assert.deepEqual(layout.read(block), { x: ndarray([2], Float32Array.of(3, 4)) });
});

Deno.test("a record is copied array by array, once, and only while it is current", () => {
  const layout = new Layout({ a: [1], b: [1] });
  const copied: number[] = [];
  let current = true;
  const record = copiedWhenRead(layout, ({ offset, shape }) => {
    copied.push(offset);
    return ndarray(shape, Float32Array.of(offset));
  }, () => current);
  assert.deepEqual(Object.keys(record), ["a", "b"]);
  assert.equal(record["b"], record["b"]);
  assert.deepEqual(copied, [256]);
  current = false;
  assert.equal(record["b"]!.data[0], 256);
  assert.throws(() => record["a"], {
    message: 'Cannot read "a" of a state before the last update: read it before updating',
  });
});
