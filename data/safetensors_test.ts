import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ndarray } from "../ndarray.ts";
import { decodeMixedSafetensors, decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

// Written by safetensors 0.8.0 (fixtures/make_fixtures.py).
const python = Deno.readFileSync(new URL("./fixtures/python.safetensors", import.meta.url));

/** A file with this header and `bytes` zero bytes of data. */
function file(header: string, bytes: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const whole = new Uint8Array(8 + json.length + bytes);
  new DataView(whole.buffer).setBigUint64(0, BigInt(json.length), true);
  whole.set(json, 8);
  return whole;
}

Deno.test("decodeMixedSafetensors() reads Python's file, encodeSafetensors() writes the same bytes", () => {
  const { tensors, metadata } = decodeMixedSafetensors(python);
  assert.deepEqual(metadata, { format: "np" });
  assert.deepEqual([...tensors["critic/0/kernel"]!.data], [0, 1, 2, 3, 4, 5].map((x) => Math.fround(x / 3)));
  assert.deepEqual(tensors["actor/out/bias"]!.data, Float32Array.of(-0, Infinity));
  assert.deepEqual(tensors["alpha"], { shape: [], data: Float32Array.of(0.25) });
  assert.deepEqual(tensors["counter"]!.data, Float64Array.of(2 ** 40 + 1));
  assert.deepEqual(tensors["order"]!.data, Int32Array.of(3, -1, 2));
  assert.deepEqual(tensors["mask"]!.data, Uint8Array.of(1, 0, 1));
  assert.deepEqual(tensors["empty"]!.shape, [0, 4]);
  assert.deepEqual(encodeSafetensors(tensors, metadata), python);
});

Deno.test("encodeSafetensors() is blind to the order of keys and aligns data to 8 bytes", () => {
  const [a, b] = [ndarray([3]), ndarray([2, 2], Float32Array.of(1, 2, 3, 4))];
  const bytes = encodeSafetensors({ "2": a, "10": b, b }, { y: "1", x: "2" });
  assert.deepEqual(encodeSafetensors({ b, "10": b, "2": a }, { x: "2", y: "1" }), bytes);
  assert.equal(new DataView(bytes.buffer).getBigUint64(0, true) % 8n, 0n);
  assert.deepEqual(Object.keys(decodeSafetensors(bytes).tensors).sort(), ["10", "2", "b"]);
});

Deno.test("decodeSafetensors() reads unaligned bytes and gives copies", () => {
  const bytes = encodeSafetensors({ a: ndarray([2], Float32Array.of(1, NaN)) });
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  for (const given of [shifted.subarray(1), Buffer.from(bytes)]) {
    const { tensors } = decodeSafetensors(given);
    given.fill(0);
    assert.deepEqual(tensors["a"]!.data, Float32Array.of(1, NaN));
  }
});

Deno.test("decodeSafetensors() refuses what is not float32", () => {
  assert.throws(() => decodeSafetensors(python), {
    message: 'Cannot read tensor "counter" of type F64 as a weight: it must be F32',
  });
});

const refused: [string, Uint8Array, string][] = [
  ["a stump", Uint8Array.of(1, 2), "Cannot read 2 bytes as safetensors: the header length alone takes 8"],
  [
    "a truncated header",
    file('{"a":1}', 0).subarray(0, 12),
    "Cannot read a safetensors header of 7 bytes: the file has 4 after its length field",
  ],
  [
    "a header that is not JSON",
    file("{a}", 0),
    "Cannot read the safetensors header of 3 bytes: it must be JSON",
  ],
  ["a header that is a list", file("[]", 0), "Cannot read the safetensors header: it must be a JSON object"],
  [
    "truncated data",
    file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 7),
    "Cannot read safetensors with 7 data bytes: the header describes 8",
  ],
  [
    "overlapping tensors",
    file(
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
      12,
    ),
    'Cannot read tensor "b" at byte 4: it overlaps the tensor before, which ends at 8',
  ],
  [
    "a gap",
    file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}', 4),
    'Cannot read tensor "a" at byte 3: it leaves a gap after the tensor before, which ends at 0',
  ],
  [
    "an unknown type",
    file('{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', 2),
    'Cannot read tensor "a" of type BF16: it must be F64, F32, I32, U8',
  ],
  [
    "a size that is not the shape's",
    file('{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', 8),
    'Cannot read tensor "a" from bytes 0 to 8: F32 of shape [3] takes 12',
  ],
  [
    "negative extents",
    file('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4),
    'Cannot read tensor "a": shape and data_offsets must be lists of counts',
  ],
];
for (const [what, bytes, message] of refused) {
  Deno.test(`decodeMixedSafetensors() refuses ${what}`, () => {
    assert.throws(() => decodeMixedSafetensors(bytes), { message });
  });
}

Deno.test("encodeSafetensors() refuses data that do not fill the shape", () => {
  assert.throws(() => encodeSafetensors({ a: { shape: [3], data: new Float32Array(2) } }), {
    message: 'Cannot store tensor "a" of shape [3]: it has 2 elements, the shape needs 3',
  });
});
