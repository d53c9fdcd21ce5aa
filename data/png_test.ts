import assert from "node:assert/strict";
import { stream } from "../random.ts";
import { decodePng, encodePng } from "./png.ts";

const picture = (width: number, height: number) => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from(
    { length: width * height * 3 },
    ((random) => () => Math.floor(random.uniform(0, 256)))(stream(1, "picture")),
  ),
});

Deno.test("a picture comes back pixel by pixel, and equal pixels give equal bytes", () => {
  const original = picture(31, 17);
  const bytes = encodePng(original);
  assert.deepEqual(decodePng(bytes, "x"), original);
  assert.deepEqual(encodePng(picture(31, 17)), bytes);
});

// Written by Pillow 12: 2 x 2 pixels of grey 0, 85, 170, 255.
const grey =
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNgCGVY9R8AA60B/2f7ygkAAAAASUVORK5CYII=";

Deno.test("grey pictures get three equal channels", () => {
  const { data } = decodePng(Uint8Array.from(atob(grey), (c) => c.charCodeAt(0)), "x");
  assert.deepEqual([...data], [0, 85, 170, 255].flatMap((value) => [value, value, value]));
});

Deno.test("what is no whole PNG is refused in one line", () => {
  const whole = encodePng(picture(8, 8));
  const damaged = whole.slice();
  damaged[60]! ^= 1;
  for (const bytes of [new Uint8Array(), whole.slice(0, -20), damaged, Uint8Array.of(0xff, 0xd8, 0xff)]) {
    assert.throws(() => decodePng(bytes, "frame 3"), {
      message: "Cannot read frame 3 as a picture: it must be a whole PNG file",
    });
  }
  assert.throws(() => encodePng({ ...picture(4, 4), width: 5 }), /^RangeError: Cannot encode 48 numbers/);
});
