/**
 * Every kernel and every method on every provider there is: each folder of engine/providers/ says itself what it is held to.
 * ONNX Runtime through its C API gives the bits of onnxruntime-node; a GPU rounds otherwise. Where a device cannot be used,
 * its tests are skipped by name.
 */
import assert from "node:assert/strict";
import { odd, smooth } from "../engine/fixtures/kernel_cases.ts";
import { compiled, difference, eager, normals, withGradients } from "../engine/fixtures/oracle.ts";
import { Learner } from "../engine/learner.ts";
import type { Device } from "../engine/providers/devices.ts";
import type { Accuracy, Provider } from "../engine/providers/provider.ts";
import { Session } from "../engine/session.ts";
import type { Tensors } from "../ndarray.ts";
import { names, problem } from "./method_programs.ts";

interface Place extends Accuracy {
  readonly provider: string;
  readonly device: Device;
  readonly ignore: boolean;
}

const folder = new URL("../engine/providers/", import.meta.url);
const places: Record<string, Place> = {};
const providers = [...Deno.readDirSync(folder)].filter((item) => item.isDirectory).map(({ name }) => name);
for (const provider of providers.sort()) {
  const load = (module: string) => import(new URL(`${provider}/${module}.ts`, folder).href);
  const { accuracy } = await load("accuracy") as { accuracy: Readonly<Record<string, Accuracy>> };
  const { provider: { devices: served } } = await load("provider") as { provider: Provider };
  for (const device of served) {
    const held = accuracy[device];
    assert.ok(held, `engine/providers/${provider}/accuracy.ts says nothing about ${device}`);
    const ignore = held.usable?.() === false;
    places[`${device} by ${provider}`] = { provider, device, ignore, ...held };
  }
}

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

for (const [where, place] of Object.entries(places)) {
  const { provider, device, ignore, kernels: tolerance, updates, lacks } = place;
  // onnxruntime-node's kernels have tests of their own, against finite differences too.
  for (const [name, [f, inputs]] of Object.entries(provider === "cpu" ? {} : kernels)) {
    Deno.test({
      name: `${name} on ${where}`,
      ignore,
      fn: async () => {
        const given = inputs();
        if (lacks?.includes(name)) {
          const refusal = new RegExp(
            `Cannot run the program on ${device}: it has an operator .* no kernel for`,
          );
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

for (const [where, { provider, device, ignore }] of Object.entries(places)) {
  Deno.test({
    name:
      `a learner goes on from its state, stays readable when disposed, and gives the same bits beside its thread, on ${where}`,
    ignore,
    fn: async () => {
      const { program, state, batches } = problem("PLD");
      const run = async (concurrent: boolean) => {
        const options = { threads: 1, provider, device, concurrent };
        await using learner = await Learner.create(program, state, options);
        await learner.update(batches);
        await using again = await Learner.create(program, { ...learner.state }, options);
        await learner.update(batches);
        await again.update(batches);
        assert.deepEqual({ ...again.state }, { ...learner.state });
        return learner;
      };
      const [first, second] = [await run(false), await run(true)];
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
  for (const provider of ["../ort", "nope"]) {
    await assert.rejects(Session.create(program, { provider }), {
      message: `Cannot load provider "${provider}": it must be one of cpu, ort`,
    });
  }
  await assert.rejects(Session.create(program, { device: "tpu" as Device }), {
    message: 'Cannot run a program on device "tpu": it must be one of cpu, cuda',
  });
});
