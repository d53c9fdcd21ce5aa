import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { add, mul, sum, tensor2d } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { assertAllClose, assertClose, eager, numbers, readFixture } from "../tests/fixtures/numerics.ts";
import { tanhNormal } from "./tanh_normal.ts";

const fixture = readFixture("tanh_normal");

Deno.test("tanhNormal() gives the samples, log-densities and gradients of torch.distributions", () => {
  const { c, d, noise, mean, logDeviation } = eager(fixture["inputs"]!);
  const { z, logDensity } = tanhNormal(mean!, logDeviation!, noise!);
  const { gradients } = valueAndGradients((w) => {
    const drawn = tanhNormal(w["mean"]!, w["logDeviation"]!, noise!);
    return { loss: add(sum(mul(c!, drawn.z)), sum(mul(d!, drawn.logDensity))) };
  }, { mean: mean!, logDeviation: logDeviation! });
  assertAllClose(
    {
      z,
      logDensity,
      meanGradient: gradients["mean"]!,
      logDeviationGradient: gradients["logDeviation"]!,
    },
    fixture["results"]!,
    1e-5,
  );
});

Deno.test("tanhNormal() integrates to 1 in one dimension", () => {
  const points = 4000;
  const mean = tensor2d(new Float32Array(points).fill(0.3), [points, 1]);
  const logDeviation = tensor2d(new Float32Array(points).fill(-0.2), [points, 1]);
  const noise = tensor2d(Float32Array.from({ length: points }, (_, i) => -6 + 12 * (i + 0.5) / points), [
    points,
    1,
  ]);
  const { z, logDensity } = tanhNormal(mean, logDeviation, noise);
  const at = numbers(z), density = numbers(logDensity).map(Math.exp);
  let area = 0;
  for (let i = 1; i < points; i++) area += (at[i]! - at[i - 1]!) * (density[i]! + density[i - 1]!) / 2;
  assertClose([area], [1], 1e-4, "area");
});

Deno.test("tanhNormal() stays finite where tanh has no digits left", () => {
  const { logDensity } = tanhNormal(tensor2d([[40, -40]]), tensor2d([[2, 2]]), tensor2d([[1, -1]]));
  assert.ok(numbers(logDensity).every(Number.isFinite));
});
