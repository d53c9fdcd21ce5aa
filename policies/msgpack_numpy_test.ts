/** Against openpi-client itself: tests/fixtures/openpi.py. */
import assert from "node:assert/strict";
import fixture from "../tests/fixtures/openpi.json" with { type: "json" };
import { floats, isWireArray, pack, unpack, type Wire, wireArray } from "./msgpack_numpy.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex);

/** The fixture's pattern of bytes. */
const pattern = (height: number, width: number) =>
  Uint8Array.from({ length: height * width * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24);

const state = Float64Array.of(0.1, -0.2, 0.3, 1.5, -2.5, 3.25, 0.04, -0.04);
const actions = Float64Array.from({ length: 70 }, (_, i) => i / 64 - 0.5);

Deno.test("pack() writes the bytes that openpi-client writes", () => {
  const observation = pack({
    "observation/image": wireArray([2, 3, 3], pattern(2, 3)),
    "observation/wrist_image": wireArray([1, 2, 3], pattern(1, 2)),
    "observation/state": wireArray([8], state),
    prompt: "put the bowl on the plate",
  });
  assert.equal(observation.toHex(), fixture.observation);
  assert.equal(pack({ actions: wireArray([10, 7], actions) }).toHex(), fixture.float64);
  const metadata = { reset_pose: [0, -1.5, 70000], model: "pi05_libero", note: null };
  assert.equal(pack(metadata).toHex(), fixture.metadata);
  const many: Record<string, Wire> = { names: Array.from({ length: 20 }, (_, i) => `n${i}`) };
  for (let i = 0; i < 17; i++) many[`k${i}`] = i;
  assert.equal(pack(many).toHex(), fixture.long);
});

Deno.test("unpack() reads what openpi-client wrote: arrays, scalars, texts, in their own memory", () => {
  const reply = unpack(bytes(fixture.reply)) as Record<string, Wire>;
  const got = reply.actions;
  assert.ok(isWireArray(got));
  assert.deepEqual([got.dtype, got.shape], ["<f4", [10, 7]]);
  assert.deepEqual(floats(got), Float32Array.from(actions));
  assert.deepEqual(reply.state, wireArray([8], state));
  assert.deepEqual(reply.policy_timing, { infer_ms: 12.5 });
  assert.deepEqual(reply.server_timing, { infer_ms: 13.25, count: 3 });
  const wide = (unpack(bytes(fixture.float64)) as Record<string, Wire>).actions;
  assert.ok(isWireArray(wide) && wide.dtype === "<f8");
  assert.deepEqual(floats(wide), Float32Array.from(actions));
  assert.equal(wide.data.byteOffset, 0);
  assert.deepEqual(unpack(bytes(fixture.metadata)), {
    reset_pose: [0, -1.5, 70000],
    model: "pi05_libero",
    note: null,
  });
});

Deno.test("unpack() reads arrays with text keys as well", () => {
  const { actions: got } = unpack(bytes(fixture.text_keys)) as Record<string, Wire>;
  assert.ok(isWireArray(got));
  assert.deepEqual(floats(got), Float32Array.from(actions));
});

Deno.test("unpack() refuses messages that are cut, and arrays whose bytes do not fit", () => {
  assert.throws(() => unpack(bytes(fixture.reply).slice(0, -3)));
  const array = (dtype: string, shape: number[]) => pack({ dtype, shape, data: new Uint8Array(8) });
  assert.throws(() => unpack(array("<f4", [3])), {
    message: "Cannot read an array of shape [3] and type <f4: it has 8 bytes, not 12",
  });
  assert.throws(() => unpack(array("|O", [1])), /elements must be numbers/);
  assert.throws(() => floats({ dtype: ">f4", shape: [2], data: new Uint8Array(8) }), /wanted <f4/);
});
