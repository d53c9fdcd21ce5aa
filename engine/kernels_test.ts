import { odd, smooth } from "./fixtures/kernel_cases.ts";
import {
  assertClose,
  compiled,
  eager,
  finiteDifferences,
  normals,
  withGradients,
} from "./fixtures/oracle.ts";
import type { Tensors } from "../ndarray.ts";

for (const [name, [f, shapes, make = (inputs: Tensors) => inputs]] of Object.entries(smooth)) {
  Deno.test(`${name}: values and gradients as tfjs-cpu and as finite differences`, async () => {
    const inputs = make(normals(shapes));
    const wanted = await eager(withGradients(f), inputs);
    assertClose(await compiled(withGradients(f), inputs), wanted, 2e-6);
    if (name === "stopGradient") return; // finite differences see through it
    const { value: _value, ...gradients } = wanted;
    assertClose(gradients, await finiteDifferences(f, inputs), 1e-2);
  });
}

for (const [name, [f, inputs]] of Object.entries(odd)) {
  Deno.test(`${name}: as tfjs-cpu`, async () => {
    assertClose(await compiled(withGradients(f), inputs), await eager(withGradients(f), inputs), 2e-6);
  });
}
