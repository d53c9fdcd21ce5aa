/** Two random walks side by side and their summary: the lab's own test graph. */
import { z } from "zod";
import { experiment } from "../../lab/experiment.ts";
import * as draw from "../lab_stages/draw.ts";
import * as summarize from "../lab_stages/summarize.ts";
import * as walk from "../lab_stages/walk.ts";

export default experiment({
  name: "tiny-walks",
  version: 1,
  summary: "Two random walks, summarized",
  seeds: [0, 1],
  hyperparameters: z.strictObject({
    learner: z.strictObject({
      gamma: z.number().min(0).max(1).default(0.99).describe("scale of the steps"),
      steps: z.int().min(1).default(400),
      pauseMs: z.number().min(0).default(0),
    }),
    fail: z.enum(["no", "throw", "exit", "wait", "memory"]).default("no"),
  }),
  overrides: [{ path: "learner.gamma", value: 0.9, reason: "to have one" }],
  presets: { smoke: { "learner.steps": 20 } },
  graph(stage, { seed, hyperparameters: { learner, fail } }) {
    const widths = stage(draw, {}, { count: 7, scale: learner.gamma }, { name: "widths", seed: 0 });
    const { steps, pauseMs } = learner;
    const inputs = { numbers: widths.numbers };
    const left = stage(walk, inputs, { steps, pauseMs }, { name: "left", seed });
    const right = stage(walk, inputs, { steps, pauseMs }, { name: "right", seed: seed + 1 });
    stage(summarize, { paths: [left.path, right.path] }, { fail }, { name: "summary" });
    return { evaluations: {} };
  },
});
