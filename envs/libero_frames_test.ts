import assert from "node:assert/strict";
import { encodeFrame, FrameError, FrameReader } from "./libero_frames.ts";

// What Python's msgpack 1.2.4 and struct write for {"id": 3, "ok": True, "arrays": [["a", "f8", [2]], ["b", "u1", [1, 3]]]}
// with a = [1.5, -2], b = [[7, 8, 9]]: struct.pack("<I", len(h)) + h + a.tobytes() + b.tobytes().
const fromPython = "2200000083a2696403a26f6bc3a66172726179739293a161a266389102" +
  "93a162a27531920103" + "000000000000f83f00000000000000c0" + "070809";

Deno.test("FrameReader reads what Python writes, however the bytes are cut", () => {
  const bytes = Uint8Array.from(fromPython.match(/../g)!, (pair) => parseInt(pair, 16));
  for (const cut of [1, 2, 3, 7, 100]) {
    const reader = new FrameReader();
    const frames = [];
    const twice = Uint8Array.from([...bytes, ...bytes]);
    for (let at = 0; at < twice.length; at += cut) frames.push(...reader.push(twice.slice(at, at + cut)));
    assert.equal(frames.length, 2);
    for (const { header, arrays } of frames) {
      assert.deepEqual(header, { id: 3, ok: true });
      assert.deepEqual(arrays, {
        a: { shape: [2], data: Float64Array.of(1.5, -2) },
        b: { shape: [1, 3], data: Uint8Array.of(7, 8, 9) },
      });
    }
  }
});

Deno.test("encodeFrame() writes what Python's msgpack writes", () => {
  const frame = encodeFrame({ id: 3, ok: true }, {
    a: { shape: [2], data: Float64Array.of(1.5, -2) },
    b: { shape: [1, 3], data: Uint8Array.of(7, 8, 9) },
  });
  assert.equal(frame.toHex(), fromPython);
});

Deno.test("FrameReader refuses what is no frame", () => {
  const wrong: [Uint8Array, RegExp][] = [
    [new TextEncoder().encode("Traceback (most recent call last)"), /header of 1667330644 bytes/],
    [Uint8Array.of(1, 0, 0, 0, 0xc1), /no MessagePack/],
    [Uint8Array.of(1, 0, 0, 0, 0x05), /no map/],
    [encodeFrame({ arrays: 1, id: 1 }, {}).with(0, 3), /no MessagePack|no list|not listed/],
  ];
  for (const [bytes, message] of wrong) {
    assert.throws(() => new FrameReader().push(bytes), (error: unknown) => {
      assert.ok(error instanceof FrameError);
      assert.match(error.message, message);
      return true;
    });
  }
});
