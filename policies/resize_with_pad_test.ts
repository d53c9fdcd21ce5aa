/** Against openpi-client's resize_with_pad: tests/fixtures/openpi.py. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fixture from "../tests/fixtures/openpi.json" with { type: "json" };
import { mirrored, resizeWithPad } from "./resize_with_pad.ts";

function made(pattern: string, height: number, width: number) {
  const data = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    if (pattern === "pattern") return Math.imul(i, 2654435761) >>> 24;
    const pixel = Math.floor(i / 3);
    return Math.floor(pixel / width) * 3 + (pixel % width) * 5 + (i % 3) * 80;
  });
  return { width, height, data };
}

for (const { pattern, from: [height, width], to, sha256, head } of fixture.pictures) {
  Deno.test(`resizeWithPad() gives openpi's bytes: ${pattern} ${height} x ${width} to ${to}`, () => {
    const { data } = resizeWithPad(made(pattern, height!, width!), to, to);
    const middle = (to * to * 3) >> 1;
    assert.deepEqual([...data.subarray(middle, middle + 12)], head);
    assert.equal(createHash("sha256").update(data).digest("hex"), sha256);
  });
}

Deno.test("resizeWithPad() refuses a picture of which nothing is left", () => {
  assert.throws(() => resizeWithPad(made("smooth", 1, 500), 16, 16), RangeError);
});

Deno.test("mirrored() exchanges left and right, not top and bottom", () => {
  const image = { width: 2, height: 2, data: Uint8Array.of(1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4) };
  assert.deepEqual([...mirrored(image).data], [2, 2, 2, 1, 1, 1, 4, 4, 4, 3, 3, 3]);
  assert.deepEqual(mirrored(mirrored(image)), image);
});
