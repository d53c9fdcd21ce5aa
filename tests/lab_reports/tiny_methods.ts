/** Two ways to learn a coin's fall, side by side: the lab's own test graph with methods. */
import { z } from "zod";
import { experiment } from "../../lab/experiment.ts";
import * as climb from "../lab_stages/climb.ts";
import * as flip from "../lab_stages/flip.ts";
import * as flipLearned from "../lab_stages/flip_learned.ts";

export default experiment({
  name: "tiny-methods",
  version: 1,
  summary: "Which way to learn is better?",
  seeds: [0, 1],
  hyperparameters: z.strictObject({ coins: z.int().min(1).default(40).describe("coins flipped") }),
  presets: { smoke: { coins: 10 } },
  graph(stage, { seed, hyperparameters: { coins } }) {
    const { evaluation: base } = stage(flip, {}, { rate: 0.3, coins }, { name: "base", seed: 10 * seed });
    const learn = (name: string, rate: number, steps: number) => {
      const learned = stage(climb, {}, { rate, steps }, { name });
      const measured = stage(flipLearned, { rate: learned.rate }, { coins }, {
        name: `evaluate.${name}`,
        seed: 10 * seed,
      });
      return { evaluation: measured.evaluation, curve: learned.curve };
    };
    const slow = learn("slow", 0.6, 200), fast = learn("fast", 0.9, 100);
    return {
      evaluations: { base, slow: slow.evaluation, fast: fast.evaluation },
      comparisons: [{ after: "fast", before: "slow" }],
      methods: [
        { label: "slow", progress: [slow.curve] },
        { label: "fast", progress: [fast.curve] },
      ],
    };
  },
});
