import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { add, matMul, mean, reshape, slice, sum, tanh, tensor } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { stream } from "../random.ts";
import { assertClose, eager, numbers } from "../tests/fixtures/numerics.ts";
import { initializeMlp, siluMlp, tanhMlp } from "./mlp.ts";

const sizes = { input: 3, hidden: [5, 4], output: 2 };
const x = tensor([[0.1, -0.4, 2], [1, 0.5, -0.2]]);

Deno.test("initializeMlp() draws kernels of variance 1 / inputs, with zero biases and unit gains", () => {
  const wide = { input: 64, hidden: [128], output: 8 };
  const weights = initializeMlp(stream(0, "net"), "net", wide, { layerNorm: true, outputScale: 0.5 });
  const variance = (data: Float32Array) => data.reduce((total, v) => total + v * v, 0) / data.length;
  assertClose([variance(weights["net/0/kernel"]!.data)], [1 / 64], 0.05, "hidden kernel");
  assertClose([variance(weights["net/out/kernel"]!.data)], [0.25 / 128], 0.15, "last kernel, scaled by 0.5");
  assert.deepEqual(new Set(weights["net/0/gain"]!.data), new Set([1]));
  for (const name of ["net/0/bias", "net/0/shift", "net/out/bias"]) {
    assert.deepEqual(new Set(weights[name]!.data), new Set([0]), name);
  }
});

Deno.test("an ensemble gives what its members give alone, and so do its gradients", () => {
  const stack = eager(initializeMlp(stream(1, "net"), "net", sizes, { layerNorm: true, ensemble: 3 }));
  const together = tanhMlp(stack, "net", x);
  assert.deepEqual(together.shape, [3, 2, 2]);
  const { gradients } = valueAndGradients((w) => ({ loss: sum(tanhMlp(w, "net", x)) }), stack);
  for (let member = 0; member < 3; member++) {
    const own = Object.fromEntries(
      Object.entries(stack).map(([name, w]) => {
        const [, ...shape] = w.shape;
        return [name, reshape(slice(w, [member, ...shape.map(() => 0)], [1, ...shape]), shape)];
      }),
    );
    const alone = tanhMlp(own, "net", x);
    assertClose(numbers(slice(together, [member, 0, 0], [1, 2, 2])), numbers(alone), 1e-6, "values");
    const single = valueAndGradients((w) => ({ loss: sum(tanhMlp(w, "net", x)) }), own);
    for (const [name, gradient] of Object.entries(single.gradients)) {
      const all = numbers(gradients[name]!);
      const part = all.slice(member * gradient.size, (member + 1) * gradient.size);
      assertClose(part, numbers(gradient), 1e-5, name);
    }
  }
});

Deno.test("siluMlp() of a network whose last layer is scaled by 0 is 0, with a gradient in that layer only", () => {
  const weights = eager(initializeMlp(stream(2, "net"), "net", sizes, { layerNorm: false, outputScale: 0 }));
  assert.deepEqual(new Set(numbers(siluMlp(weights, "net", x))), new Set([0]));
  const { gradients } = valueAndGradients((w) => ({ loss: mean(siluMlp(w, "net", x)) }), weights);
  for (const [name, gradient] of Object.entries(gradients)) {
    assert.equal(numbers(gradient).some((g) => g !== 0), name.startsWith("net/out/"), name);
  }
});

Deno.test("a missing weight is named", () => {
  const { "net/0/shift": _, ...rest } = eager(
    initializeMlp(stream(1, "net"), "net", sizes, { layerNorm: true }),
  );
  assert.throws(() => tanhMlp(rest, "net", x), {
    name: "TypeError",
    message: 'Cannot read weight "net/0/shift": the record has no such entry',
  });
});

Deno.test("tanhMlp() leaves a layer without a gain as it is", () => {
  const sizes = { input: 2, hidden: [3], output: 1 };
  const bare = eager(initializeMlp(stream(4, "net"), "net", sizes, { layerNorm: false }));
  const x = tensor([[0.5, -1]]);
  const expected = add(
    matMul(tanh(add(matMul(x, bare["net/0/kernel"]!), bare["net/0/bias"]!)), bare["net/out/kernel"]!),
    bare["net/out/bias"]!,
  );
  assert.deepEqual(numbers(tanhMlp(bare, "net", x)), numbers(expected));
});
