/** `--device` on a machine without a GPU. With one these tests say nothing, and are skipped by name. */
import assert from "node:assert/strict";
import { driver, fault } from "../engine/providers/ort/cuda_driver.ts";
import { stageKey } from "../lab/key.ts";
import { exp, temporary } from "./lab_command.ts";

const ignore = fault(driver()) === undefined;
const asked = ["sac-tabletop", "--preset", "smoke", "--json"];

Deno.test({
  name: "a GPU that is not there is one line that says what mends it; the store stays as it was",
  ignore,
  fn: async () => {
    await using folder = await temporary();
    const store = `${folder.path}/store`;
    const { code, lines } = await exp(["run", ...asked, "--device", "cuda", "--store", store]);
    assert.equal(code, 1);
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^Cannot use --device cuda: no NVIDIA driver .*; .*--device cpu$/);
    const fsck = await exp(["fsck", "--store", store]);
    assert.equal(fsck.code, 0, fsck.stderr);
  },
});

Deno.test({
  name: "auto takes the CPU where there is no GPU, under the keys of a run that does not ask",
  ignore,
  fn: async () => {
    await using folder = await temporary();
    const keys = async (...device: string[]) => {
      const { code, stdout, stderr } = await exp([
        "why",
        "sac-tabletop/demonstrations",
        ...asked.slice(1),
        ...device,
        "--store",
        folder.path,
      ]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout).key;
    };
    const plain = await keys();
    assert.match(plain, /^[0-9a-f]{64}$/);
    assert.deepEqual([await keys("--device", "auto"), await keys("--device", "cpu")], [plain, plain]);
  },
});

Deno.test("a key holds the device and what decides its bits, beside the CPU", () => {
  const parts = {
    entry: "stages/train_sac.ts",
    code: { modules: {}, packages: {} },
    parameters: {},
    inputs: {},
    outputs: {},
    seed: 0,
  };
  const on = (fingerprint: string) =>
    stageKey({ ...parts, device: { name: "cuda", fingerprint: { gpu: fingerprint } } });
  const keys = [stageKey(parts), on("H100"), on("H200")];
  assert.equal(new Set(keys.map(({ key }) => key)).size, 3);
  assert.deepEqual(keys[1]!.preimage.runtime.device, { cuda: { gpu: "H100" } });
  assert.ok(!("device" in keys[0]!.preimage.runtime));
});
