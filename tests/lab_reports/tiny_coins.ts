/** Three coins, compared: the lab's own test graph with a report. */
import { z } from "zod";
import { experiment } from "../../lab/experiment.ts";
import * as flip from "../lab_stages/flip.ts";

export default experiment({
  name: "tiny-coins",
  version: 1,
  summary: "Is a loaded coin better than a fair one?",
  seeds: [0, 1],
  hyperparameters: z.strictObject({
    coins: z.int().min(1).max(1000).default(40).describe("coins flipped; must be even"),
    rates: z.strictObject({
      fair: z.number().min(0).max(1).default(0.4).describe("rate of the fair coin"),
      loaded: z.number().min(0).max(1).default(0.8),
    }).prefault({}),
  }),
  overrides: [{ path: "rates.fair", value: 0.5, reason: "what fair means" }],
  presets: { smoke: { coins: 10 } },
  graph(stage, { seed, hyperparameters: { coins, rates } }) {
    if (coins % 2 !== 0) throw new RangeError(`Cannot flip ${coins} coins: give an even number`);
    const evaluate = (name: string, rate: number, first: number) =>
      stage(flip, {}, { rate, coins }, { name, seed: 10 * seed + first }).evaluation;
    return {
      evaluations: {
        before: evaluate("before", 0.3, 0),
        control: evaluate("control", rates.fair, 1),
        loaded: evaluate("loaded", rates.loaded, 2),
      },
      comparisons: [{ after: "loaded", before: "control" }],
    };
  },
});
