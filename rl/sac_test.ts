import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { concat, exp, reshape, type Tensor, tensor1d, zeros } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../engine/differentiate.ts";
import { Learner } from "../engine/learner.ts";
import { compileUpdate } from "../engine/program.ts";
import { part } from "../nn/weights.ts";
import { stream } from "../random.ts";
import { assertClose, eager, normals, numbers } from "../tests/fixtures/numerics.ts";
import * as pld from "./pld.ts";
import * as sac from "./sac.ts";

const sizes = { state: 5, action: 7 };
const h = sac.hyperparameters.parse({ batch: 6, width: 8 });

Deno.test("SAC is PLD with a zero base and xi 1: target, losses and gradients", () => {
  const weights = eager(sac.initialize(stream(1, "weights"), sizes, h));
  // PLD's actor also sees the base: rows for it, whatever they hold, meet zeros.
  const kernel = weights["actor/0/kernel"]!;
  const extra = eager(normals(stream(1, "rows"), { rows: [7, 8] }))["rows"]!;
  const residual = { ...weights, "actor/0/kernel": concat([kernel, extra], 0) };
  const b = eager(normals(stream(1, "batch"), {
    ...{ state: [6, 5], action: [6, 7], reward: [6], terminated: [6], nextState: [6, 5] },
    ...{ nextNoise: [6, 7], noise: [6, 7] },
  })) as Record<"state" | "action" | "reward" | "terminated" | "nextState" | "nextNoise" | "noise", Tensor>;
  const base = zeros([6, 7]);
  const xi = tensor1d(new Float32Array(7).fill(1));
  const alpha = exp(-1);

  const y = sac.target(weights, b, 0.9);
  const based = { ...b, base, nextBase: base, nextNoise: reshape(b.nextNoise, [1, 6, 7]) };
  assert.deepEqual(numbers(pld.target(residual, based, xi, 0.9)), numbers(y));

  const critic = [
    valueAndGradients((w) => sac.criticLoss(w, b, y), part(weights, "critic")),
    valueAndGradients((w) => pld.criticLoss(w, b, y), part(weights, "critic")),
  ] as const;
  const actor = [
    valueAndGradients((w) => sac.actorLoss(w, weights, alpha, b.state, b.noise), part(weights, "actor")),
    valueAndGradients(
      (w) => pld.actorLoss(w, weights, alpha, { state: b.state, base, noise: b.noise, xi }),
      part(residual, "actor"),
    ),
  ] as const;
  for (const [own, other] of [critic, actor]) {
    assertClose(numbers(own.loss), numbers(other.loss), 1e-6, "loss");
    for (const [name, gradient] of Object.entries(own.gradients)) {
      assertClose(numbers(other.gradients[name]!).slice(0, gradient.size), numbers(gradient), 1e-5, name);
    }
  }
});

Deno.test("a compiled SAC update is the eager one", async () => {
  const shapes = sac.updateShapes(sizes, h);
  const start = sac.initialize(stream(2, "weights"), sizes, h);
  const batches = normals(
    stream(2, "batches"),
    Object.fromEntries(Object.entries(shapes.batch).map(([name, shape]) => [name, [1, ...shape]])),
  );
  await using learner = await Learner.create(compileUpdate(sac.update(h), shapes), start);
  const traced = await learner.update(batches);
  const row = Object.entries(shapes.batch).map(([name, shape]) =>
    [name, { ...batches[name]!, shape }] as const
  );
  const { state, metrics } = sac.update(h)(eager(start), eager(Object.fromEntries(row)));
  for (const [name, value] of Object.entries(metrics)) {
    assertClose(traced[name]!.data, numbers(value), 1e-4, name);
  }
  for (const [name, value] of Object.entries(part(state, "actor"))) {
    assertClose(learner.state[name]!.data, numbers(value), 1e-4, name);
  }
});
