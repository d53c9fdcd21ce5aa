/**
 * The bridge's losses on LeRobot's pi0 and pi0.5 against `cfg_flow.ts` and `awr.ts`, on the same tensors. The velocities of the
 * large networks go through a small one that has a column for each: its hidden layer knows nothing but the condition.
 */
import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import { type Tensor, tensor, zeros } from "@tensorflow/tfjs-core";
import fixture from "../tests/fixtures/lerobot_cfg_loss.json" with { type: "json" };
import * as awr from "./awr.ts";
import * as cfgFlow from "./cfg_flow.ts";
import type { Minibatch } from "./weighted_flow.ts";

type Case = typeof fixture.pi0;

/** silu(2): what the hidden unit of a branch holds. */
const UNIT = 2 / (1 + Math.exp(-2));

/** Weights whose velocity is `any` under o = 0 and `positive` under o = 1, whatever the observation; [H * A] each. */
function answering(any: readonly number[], positive: readonly number[]): Record<string, Tensor> {
  const columns = any.length;
  return {
    "velocity/0/kernel": zeros([1 + columns + 32, 2]),
    "velocity/0/bias": zeros([2]),
    "velocity/condition": tensor([2, 0, 0, 2], [2, 2]),
    "velocity/out/kernel": tensor([...any, ...positive].map((x) => x / UNIT), [2, columns]),
    "velocity/out/bias": zeros([columns]),
  };
}

/** The mean over samples of what `loss` says of each alone. */
function overSamples(
  of: Case,
  loss: (i: number, row: (name: keyof Case) => number[], b: Minibatch) => Tensor,
) {
  const [rows, horizon, width] = of.shape as [number, number, number];
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const row = (name: keyof Case) => {
      const size = (of[name] as number[]).length / rows;
      return (of[name] as number[]).slice(i * size, (i + 1) * size);
    };
    const chunk = (name: keyof Case) => tensor(row(name), [1, horizon, width]);
    sum += loss(i, row, {
      features: zeros([1, 1]),
      actions: chunk("actions"),
      noise: chunk("noise"),
      weight: tensor(row("mask"), [1, horizon]),
      advantage: tensor(row("advantage"), [1]),
      time: tensor(row("time"), [1]),
    }).dataSync()[0]!;
  }
  return sum / rows;
}

for (const kind of ["pi0", "pi05"] as const) {
  const of: Case = fixture[kind];
  for (const weight of ["indicator", "advantage"] as const) {
    Deno.test(`the bridge's loss of ${kind} with weight "${weight}" is cfg_flow.ts's`, () => {
      const h = cfgFlow.hyperparameters.parse({ weight, unconditional: fixture.alpha });
      const part = (name: "loss" | "conditional" | "unconditional") =>
        overSamples(of, (_, row, b) => {
          const { loss, metrics } = cfgFlow.loss(answering(row("any"), row("positive")), b, h);
          return name === "loss" ? loss : metrics[name];
        });
      const expected = of.losses[weight];
      for (
        const [name, scale] of [["loss", 1], ["conditional", 1], ["unconditional", fixture.alpha]] as const
      ) {
        const gap = Math.abs(scale * part(name) - expected[name]);
        assert.ok(gap <= 1e-5, `${name} differs by ${gap}`);
      }
      // Guard: padding counts, so the fixture can tell.
      assert.ok(of.mask.includes(0));
    });
  }

  Deno.test(`the bridge's weighted flow matching of ${kind} is awr.ts's`, () => {
    const h = awr.hyperparameters.parse({});
    const ours = overSamples(of, (_, row, b) => {
      const weights = answering(row("plain"), row("plain"));
      return awr.loss({ ...weights, "velocity/0/bias": tensor([2, 0], [2]) }, b, h).loss;
    });
    const gap = Math.abs(ours - of.losses.weighted.loss);
    assert.ok(gap <= 1e-5, `differs by ${gap}`);
  });
}
