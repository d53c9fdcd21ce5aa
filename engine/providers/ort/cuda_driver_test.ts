import assert from "node:assert/strict";
import { type Driver, fault } from "./cuda_driver.ts";

const gpu = { name: "NVIDIA H100", capability: 90, memory: 80 * 2 ** 30 };
const cases: [string, Driver, RegExp | undefined, RegExp?][] = [
  ["no driver", {}, /no NVIDIA driver/, /580 or newer, or use --device cpu/],
  [
    "a driver too old",
    { cuda: 12040, code: 0, gpus: 1, gpu },
    /serves CUDA 12\.4, 13\.0 is needed/,
    /update/,
  ],
  ["a driver that does not start", { cuda: 13000, code: 999 }, /does not start \(error 999\)/, /nvidia-smi/],
  ["no GPU", { cuda: 13000, code: 100 }, /sees no GPU/, /give this machine or container a GPU/],
  ["an empty list of GPUs", { cuda: 13000, code: 0, gpus: 0 }, /sees no GPU/],
  [
    "a GPU too old",
    { cuda: 13000, code: 0, gpus: 1, gpu: { ...gpu, capability: 61 } },
    /6\.1, 7\.5 is needed/,
  ],
  ["a GPU that will do", { cuda: 13010, code: 0, gpus: 2, gpu }, undefined],
];

for (const [name, driver, wanted, mend] of cases) {
  Deno.test(`fault() of ${name}`, () => {
    const found = fault(driver);
    if (!wanted) return assert.equal(found, undefined);
    assert.match(found!.fault, wanted);
    assert.match(found!.mend, mend ?? /./);
  });
}
