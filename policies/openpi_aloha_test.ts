import assert from "node:assert/strict";
import type { Observation } from "../envs/environment.ts";
import golden from "../tests/fixtures/conventions.json" with { type: "json" };
import { isWireArray, wireArray } from "./msgpack_numpy.ts";
import type { Message } from "./openpi.ts";
import { alohaObservation, channelsFirst } from "./openpi_aloha.ts";
import { resizeWithPad } from "./resize_with_pad.ts";

Deno.test("channelsFirst() is NumPy's transpose(2, 0, 1)", () => {
  const picture = { width: 3, height: 2, data: Uint8Array.from(golden.picture) };
  // np.arange(18).reshape(2, 3, 3).transpose(2, 0, 1)
  assert.deepEqual([...channelsFirst(picture)], [
    ...[0, 3, 6, 9, 12, 15],
    ...[1, 4, 7, 10, 13, 16],
    ...[2, 5, 8, 11, 14, 17],
  ]);
});

Deno.test("alohaObservation() sends joints, and the picture from the top fitted into 224 x 224, without a prompt", () => {
  const data = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (i * 37) % 256);
  const image = { width: 64, height: 48, data };
  const proprioception = Float64Array.from({ length: 14 }, (_, i) => i / 8);
  const observation = { proprioception, images: { top: image } } as unknown as Observation;
  const message = alohaObservation(observation, "top");
  assert.deepEqual(Object.keys(message), ["state", "images"]);
  assert.deepEqual(message.state, wireArray([14], proprioception));
  const { cam_high: picture } = message.images as Message;
  assert.ok(isWireArray(picture));
  assert.deepEqual([picture.dtype, picture.shape], ["|u1", [3, 224, 224]]);
  assert.deepEqual(picture.data, channelsFirst(resizeWithPad(image, 224, 224)));
  assert.throws(() => alohaObservation(observation, "angle"), {
    message: "Cannot show a policy camera angle: there is no picture of it at this step",
  });
});
