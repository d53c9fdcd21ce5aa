/**
 * Chunk-level offline RL as a public framework's description has it, on the embedded tabletop: a Gaussian policy on chunks,
 * a soft value with its likelihood, exponential weights. Beside it the same policy by plain likelihood on the same data,
 * and the flow policy that the data come from.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle, type Override } from "../lab/experiment.ts";
import * as brief from "../rl/chunk_brief.ts";
import * as evaluateGaussian from "../stages/evaluate_gaussian.ts";
import * as trainChunkBrief from "../stages/train_chunk_brief.ts";
import { rollOut, shared, smoke as bestOfNSmoke } from "./best_of_n_tabletop.ts";
import { tabletop as world } from "./pld_tabletop.ts";

const { learner: _, scoring: __, candidates: ___, ...data } = shared;

const hyperparameters = z.strictObject({ ...data, learner: brief.hyperparameters.prefault({}) });

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const { base, data, measure } = rollOut(stage, h, world);
  const evaluations: Record<string, Handle<"evaluation">> = { base: measure("base", base) };
  const train = (name: string, learner: brief.Hyperparameters) => {
    const { demonstrationShare, lanes } = h, tasks = [...h.tasks];
    const { weights, normalization } = stage(
      trainChunkBrief,
      { ...base, ...data },
      { tasks, demonstrationShare, learner },
      { name },
    );
    evaluations[name] = stage(evaluateGaussian, { weights, normalization }, {
      world,
      tasks,
      ...h.evaluation,
      execute: learner.horizon,
      lanes,
    }, { name: `evaluate.${name}`, seed: 0 }).evaluation;
  };
  train("brief", h.learner);
  train("likelihood", { ...h.learner, beta: 0 });
  return { evaluations, comparisons: [{ after: "brief", before: "likelihood" }] };
}

const overrides: readonly Override[] = [
  {
    path: "learner.epochs",
    value: 20,
    reason: "25,000 gradient steps, about as many as the other learners take",
  },
  { path: "learner.cap", value: 100, reason: "without any the loss was NaN within 100 gradient steps" },
];

/** What `exp run chunk-brief-tabletop` runs. */
export default experiment({
  name: "chunk-brief-tabletop",
  version: 1,
  summary:
    "Chunk-level offline RL by the losses of its description on one tabletop task: soft value, likelihood weighted by " +
    "exp(beta (Q - V)), a Gaussian policy; beside it plain likelihood.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides,
  presets: {
    brief: { "learner.epochs": 100 },
    literal: { "learner.epochs": 100, "learner.cap": null },
    smoke: {
      ...Object.fromEntries(
        Object.entries(bestOfNSmoke).filter(([path]) => !/^(learner|candidates)\b/.test(path)),
      ),
      "learner.epochs": 1,
      "learner.width": 32,
    },
  },
  graph,
});
