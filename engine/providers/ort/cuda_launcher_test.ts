import assert from "node:assert/strict";
import { Launcher } from "./cuda_launcher.ts";

Deno.test("a thread that starts updates says what went wrong, and takes the next call", async () => {
  using launcher = new Launcher();
  const nowhere = { device: 0n, host: 0n, bytes: 0 };
  const updates = { stream: 0n, session: 0n, ways: [], from: 0, count: 1, batch: nowhere, metrics: nowhere };
  for (const library of ["/nowhere/libonnxruntime.so", "/nowhere/else.so"]) {
    await assert.rejects(launcher.launch({ ...updates, library }), {
      message: new RegExp(`^Cannot load ${library}: `),
    });
  }
});
