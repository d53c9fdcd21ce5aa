import assert from "node:assert/strict";
import { crc32c, encodeEvents } from "./tensorboard.ts";
// TensorBoard's own writer: fixtures/make_events.py
import oracle from "./fixtures/events.json" with { type: "json" };

Deno.test("encodeEvents() gives TensorBoard's own bytes", () => {
  const bytes = encodeEvents(oracle.scalars, oracle.wallTime);
  assert.equal(bytes.toHex(), oracle.hex);
});

Deno.test("crc32c() of RFC 3720's examples", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
});
