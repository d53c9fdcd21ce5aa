/**
 * QC on the embedded tabletop: a chunk critic and a behaviour flow learn offline from rollouts of a few-shot base and its
 * demonstrations, and go on online with the same buffer. The best of N chunks of the flow acts, or, in QC-FQL, a one-step
 * policy that is distilled from the flow and climbs the critic.
 */
import { z } from "zod";
import { type AddStage, experiment, type Graph, type Handle, type Override } from "../lab/experiment.ts";
import * as qc from "../rl/qc.ts";
import * as fql from "../rl/qc_fql.ts";
import * as chunkOnline from "../stages/chunk_online.ts";
import * as collectRollouts from "../stages/collect_rollouts.ts";
import * as evaluateQc from "../stages/evaluate_qc.ts";
import * as evaluateQcFql from "../stages/evaluate_qc_fql.ts";
import * as trainQc from "../stages/train_qc.ts";
import * as trainQcFql from "../stages/train_qc_fql.ts";
import * as trainQcFqlOnline from "../stages/train_qc_fql_online.ts";
import * as trainQcOnline from "../stages/train_qc_online.ts";
import { FIRST as ROLLOUTS, shared as ofChunks } from "./best_of_n_tabletop.ts";
import { cloneBase } from "./cfg_flow_tabletop.ts";
import { hyperparameters as pldHyperparameters, smoke as pldSmoke, tabletop } from "./pld_tabletop.ts";

const { tasks, lanes, demonstrations, base, evaluation } = pldHyperparameters.shape;

/** All that `--set` and `--params` can change. */
export const hyperparameters = z.strictObject({
  task: tasks.unwrap().element.default("between_plate_and_ramekin").describe("tabletop task"),
  lanes,
  demonstrations,
  base,
  rollouts: ofChunks.rollouts,
  method: z.enum(["qc", "qc-fql"]).default("qc").describe("the best of N, or a one-step policy"),
  qc: qc.hyperparameters.prefault({}).describe("of QC"),
  fql: fql.hyperparameters.prefault({}).describe("of QC-FQL"),
  phases: z.enum(["offline", "offline and online"]).default("offline and online"),
  online: chunkOnline.online.prefault({}),
  evaluation,
});

/** First training initial state of the online phase: behind the rollouts that all chunk-level methods share. */
const FIRST = ROLLOUTS + 5_000_000;

function graph(
  stage: AddStage,
  { hyperparameters: h }: { readonly hyperparameters: z.output<typeof hyperparameters> },
): Graph {
  const { task, base: { execute } } = h, tasks = [task], world = tabletop;
  const { base, demonstrations, measure } = cloneBase(stage, { ...h, tasks }, world);
  const rolling = { world, task, tasks, execute, ...h.rollouts, first: ROLLOUTS, lanes: h.lanes };
  const { episodes } = stage(collectRollouts, base, rolling, { name: "rollouts" });
  const data = { normalization: base.normalization, episodes: [episodes], demonstrations };
  const acting = { world, task, tasks, first: FIRST, online: h.online };
  const protocol = { world, tasks, ...h.evaluation, lanes: h.lanes };
  const { method } = h, ours = method === "qc";
  const offline = ours
    ? stage(trainQc, data, { tasks, learner: h.qc }, { name: `${method}-offline` })
    : stage(trainQcFql, data, { tasks, learner: h.fql }, { name: `${method}-offline` });
  /** What a learner state is worth on held-out states; for QC also its flow alone. */
  const evaluated = (
    label: string,
    { weights, scale }: { readonly weights: Handle<"weights">; readonly scale: Handle<"normalization"> },
    candidates = h.qc.candidates,
  ) => {
    const inputs = { weights, scale, normalization: base.normalization };
    const named = { name: `evaluate.${label}`, seed: 0 };
    return ours
      ? stage(evaluateQc, inputs, { ...protocol, learner: h.qc, candidates }, named).evaluation
      : stage(evaluateQcFql, inputs, { ...protocol, learner: h.fql }, named).evaluation;
  };
  const evaluations: Record<string, Handle<"evaluation">> = {
    base: measure("base", base),
    ...(ours ? { "behaviour-flow": evaluated("behaviour-flow", offline, 1) } : {}),
    [`${method}-offline`]: evaluated(`${method}-offline`, offline),
  };
  const curves: Record<string, Handle<"metrics">> = {};
  if (h.phases === "offline") return { evaluations, curves };
  const start = { ...data, weights: offline.weights, scale: offline.scale };
  const online = ours
    ? stage(trainQcOnline, start, { ...acting, learner: h.qc }, { name: method })
    : stage(trainQcFqlOnline, start, { ...acting, learner: h.fql }, { name: method });
  evaluations[method] = evaluated(method, online);
  curves[method] = online.curve;
  return { evaluations, curves, comparisons: [{ after: method, before: `${method}-offline` }] };
}

/** What the tabletop needs otherwise than OGBench and robomimic, by runs on this scene (docs/qc.md). */
const learnerOverrides = (path: string): Override[] => [
  { path: `${path}.horizon`, value: 8, reason: "what the base executes of each chunk" },
  { path: `${path}.steps`, value: 5000, reason: "of the public million; 4,000 gave +25 points" },
  { path: `${path}.batch`, value: 128, reason: "half the time of the public 256" },
  { path: `${path}.learningRate`, value: 1e-3, reason: "few steps; better than 3e-4 for DSRL on this scene" },
  { path: `${path}.tau`, value: 0.01, reason: "few steps: targets follow within 100 of them" },
  { path: `${path}.layers`, value: 3, reason: "the networks of the other methods on this scene" },
  { path: `${path}.width`, value: 256, reason: "the networks of the other methods on this scene" },
  { path: `${path}.activation`, value: "tanh", reason: "the critics of PLD on this scene" },
  { path: `${path}.flowSteps`, value: 5, reason: "half the time of the public 10" },
];
const overrides: readonly Override[] = [
  ...learnerOverrides("qc"),
  { path: "qc.targetCandidates", value: 4, reason: "candidates in the target are most of an update's time" },
  ...learnerOverrides("fql"),
  {
    path: "fql.alpha",
    value: 10_000,
    reason: "robomimic's; 100 (OGBench) ended at 0 %, 3,000 below the base",
  },
  { path: "online.steps", value: 30_000, reason: "of the public million; 24,000 gave another +37 points" },
  {
    path: "online.updatesPerStep",
    value: 0.1,
    reason: "of the public 1: an update takes longer than 10 steps",
  },
  { path: "online.start", value: 0, reason: "the buffer is full of the base's chunks already" },
];

/** The public code's learner (README's commands), at 32 candidates and chunks of 5. */
const published = Object.fromEntries(
  ["qc", "fql"].flatMap((path) =>
    Object.entries((path === "qc" ? qc : fql).hyperparameters.parse({ ends: "dropped" }))
      .map(([name, value]) => [`${path}.${name}`, value])
  ),
);

/** Budgets under which the whole graph runs in less than a minute; the figures mean nothing. */
const smoke = {
  ...Object.fromEntries(
    Object.entries(pldSmoke).filter(([path]) => /^(lanes|demonstrations|base|evaluation)\b/.test(path)),
  ),
  "rollouts.episodes": 8,
  ...Object.fromEntries(["qc", "fql"].flatMap((path) => [
    [`${path}.steps`, 100],
    [`${path}.batch`, 32],
    [`${path}.width`, 32],
    [`${path}.layers`, 2],
  ])),
  "qc.candidates": 4,
  "qc.targetCandidates": 2,
  "online.steps": 800,
  "online.lanes": 4,
  "online.iterations": 4,
  "online.evaluateEvery": 400,
  "online.evaluationEpisodes": 4,
} as const;

/** What `exp run qc-tabletop` runs. */
export default experiment({
  name: "qc-tabletop",
  version: 1,
  summary:
    "QC on one tabletop task: chunk critic and behaviour flow, offline from a few-shot base's rollouts, " +
    "then online with the same buffer.",
  seeds: [0, 1, 2],
  hyperparameters,
  overrides,
  presets: {
    smoke,
    "smoke-fql": { ...smoke, method: "qc-fql" },
    qc: {
      ...published,
      "online.steps": 1_000_000,
      "online.updatesPerStep": 1,
      "online.start": 5000,
      "online.lanes": 1,
      "online.evaluateEvery": 100_000,
    },
    "qc-fql": { method: "qc-fql" },
    offline: { phases: "offline" },
  },
  graph,
});
