/**
 * Every kernel and every method on every provider. ONNX Runtime through its C API gives the bits of onnxruntime-node; a GPU
 * rounds otherwise, and is held to a tolerance. Without a GPU the tests "... on cuda" are skipped by name.
 */
import assert from "node:assert/strict";
import type { Device } from "../engine/device.ts";
import { odd, smooth } from "../engine/fixtures/kernel_cases.ts";
import { compiled, difference, eager, normals, withGradients } from "../engine/fixtures/oracle.ts";
import { Learner } from "../engine/learner.ts";
import { driver, fault } from "../engine/providers/ort/cuda_driver.ts";
import { missing } from "../engine/providers/ort/cuda_libraries.ts";
import { Session } from "../engine/session.ts";
import type { Tensors } from "../ndarray.ts";
import { names, problem } from "./method_programs.ts";

interface Place {
  readonly provider: string;
  readonly device: Device;
  /** Largest difference of an array over its largest entry: of kernels from tfjs-cpu, of updates from onnxruntime-node. */
  readonly kernels: number;
  readonly updates: number;
  /** Kernels it lacks: programs with them are refused. No method uses them. */
  readonly lacks?: readonly string[];
}

const usable = fault(driver()) === undefined && missing().length === 0;
const places: Record<string, Place> = {
  "onnxruntime-node": { provider: "cpu", device: "cpu", kernels: 2e-6, updates: 0 },
  "the C API on the CPU": { provider: "ort", device: "cpu", kernels: 2e-6, updates: 0 },
  cuda: { provider: "ort", device: "cuda", kernels: 1e-5, updates: 1e-4, lacks: ["atanh"] },
};

function assertNear(actual: Tensors, wanted: Tensors, tolerance: number): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(wanted).sort());
  for (const [name, array] of Object.entries(wanted)) {
    const found = difference(actual[name]!, array);
    const shown = `${actual[name]!.data.slice(0, 8)} against ${array.data.slice(0, 8)}`;
    assert.ok(found <= tolerance, `${name} differs by ${found}, more than ${tolerance}: ${shown}`);
  }
}

const kernels = {
  ...Object.fromEntries(
    Object.entries(smooth).map(([name, [f, shapes, make = (inputs: Tensors) => inputs]]) => [
      name,
      [f, () => make(normals(shapes))] as const,
    ]),
  ),
  ...Object.fromEntries(Object.entries(odd).map(([name, [f, inputs]]) => [name, [f, () => inputs] as const])),
};

for (const [where, { provider, device, kernels: tolerance, updates, lacks }] of Object.entries(places)) {
  const ignore = device === "cuda" && !usable;
  // onnxruntime-node's kernels have tests of their own, against finite differences too.
  for (const [name, [f, inputs]] of Object.entries(provider === "cpu" ? {} : kernels)) {
    Deno.test({
      name: `${name} on ${where}`,
      ignore,
      fn: async () => {
        const given = inputs();
        if (lacks?.includes(name)) {
          const refusal = /Cannot run the program on cuda: it has an operator the GPU has no kernel for/;
          return await assert.rejects(compiled(withGradients(f), given, { provider, device }), refusal);
        }
        const found = await compiled(withGradients(f), given, { provider, device });
        assertNear(found, await eager(withGradients(f), given), tolerance);
      },
    });
  }
  for (const name of names) {
    Deno.test({
      name: `an update of ${name} on ${where}`,
      ignore,
      fn: async () => {
        const { program, state, batches } = problem(name);
        await using learner = await Learner.create(program, state, { threads: 1, provider, device });
        const metrics = await learner.update(batches);
        assert.ok(Object.values(metrics).every(({ data }) => data.every(Number.isFinite)));
        await using reference = await Learner.create(program, state, { threads: 1, provider: "cpu" });
        assertNear(metrics, await reference.update(batches), updates);
        assertNear({ ...learner.state }, reference.state, updates);
      },
    });
  }
}

for (const [where, { provider, device }] of Object.entries(places)) {
  Deno.test({
    name:
      `a learner goes on from its state, stays readable when disposed, and gives the same bits twice, on ${where}`,
    ignore: device === "cuda" && !usable,
    fn: async () => {
      const { program, state, batches } = problem("PLD");
      const options = { threads: 1, provider, device };
      const run = async () => {
        await using learner = await Learner.create(program, state, options);
        await learner.update(batches);
        await using again = await Learner.create(program, { ...learner.state }, options);
        await learner.update(batches);
        await again.update(batches);
        assert.deepEqual({ ...again.state }, { ...learner.state });
        return learner;
      };
      const [first, second] = [await run(), await run()];
      assert.deepEqual({ ...first.state }, { ...second.state });
      await assert.rejects(first.update(batches), /disposed/);
    },
  });
}

Deno.test("a device that a provider does not serve, and a provider that is not there, are errors", async () => {
  const { program } = problem("SAC");
  await assert.rejects(
    Session.create(program, { provider: "cpu", device: "cuda" }),
    /Cannot run on cuda with provider "cpu": it serves cpu/,
  );
  await assert.rejects(Session.create(program, { provider: "../x" }), /Cannot load provider/);
});
