/**
 * How good is a policy on LIBERO, under a protocol of the field? The policy is one of the store, named by digests, or one that a
 * server holds behind openpi's protocol; without either, bases cloned from a few demonstrations show how it goes. Episodes are
 * stored in blocks of one task, a few states and one noise stream, so that a larger evaluation takes over what a smaller one ran.
 */
import { z } from "zod";
import { evaluationStates } from "../envs/environment.ts";
import { protocolNames, protocols } from "../envs/libero_protocols.ts";
import { type AddStage, experiment, given, type Graph, type Handle, type Input } from "../lab/experiment.ts";
import * as flow from "../policies/flow.ts";
import { liberoCameras } from "../policies/openpi.ts";
import * as clone from "../stages/clone.ts";
import * as demonstrate from "../stages/demonstrate.ts";
import * as evaluateRemote from "../stages/evaluate_remote.ts";
import * as evaluateStates from "../stages/evaluate_states.ts";
import * as joinEvaluations from "../stages/join_evaluations.ts";
import type { WorldSettings } from "../stages/world.ts";

const fromTo = (where: string) => `pick_up_the_black_bowl_${where}_and_place_it_on_the_plate`;
const unique = (names: readonly string[]) => new Set(names).size === names.length;
const digest = z.string().regex(/^$|^(sha256:)?[0-9a-f]{64}$/, "expected 64 hexadecimal digits");

const hyperparameters = z.strictObject({
  suite: z.string().regex(/^libero_[a-z0-9_]+$/).default("libero_spatial")
    .describe("any suite the assets hold; its tasks, objects and fixtures are read from there"),
  protocol: z.enum(protocolNames).default("ours")
    .describe("step budgets, trials, seeds, resolution and replanning"),
  tasks: z.array(z.string()).min(1).refine(unique, "each task once")
    .default([fromTo("between_the_plate_and_the_ramekin"), fromTo("next_to_the_plate")])
    .describe("tasks of the suite, by the names of their BDDL files"),
  trials: z.int().min(1).max(evaluationStates).nullable().default(null)
    .describe("fixed evaluation states of each task, from the first; null: the protocol's number"),
  noises: z.int().min(1).max(100).default(1).describe("noise streams; each state is run once under each"),
  block: z.int().min(1).max(evaluationStates).default(10)
    .describe("states that are stored together; trials are a multiple of it, so that none is run again"),
  lanes: z.int().min(1).max(64).default(4).describe(
    "episodes of a stored policy stepped together, 0.7 GB each",
  ),
  policy: z.strictObject({
    weights: digest.default("").describe("digest of a stored policy's weights, as exp show prints it"),
    normalization: digest.default("").describe("digest of its normalization"),
    tasks: z.array(z.string()).refine(unique, "each task once").default([])
      .describe("tasks it was trained on, in that order; empty: a policy of one task, without one-hot input"),
    residuals: z.array(digest).default([]).describe("digests of specialists, one for each task; empty: none"),
    scales: z.array(digest).default([]).describe("digests of the scales of their states"),
    execute: z.int().min(1).max(64).default(8)
      .describe("actions executed of each chunk, where the protocol leaves it to the policy"),
    url: z.string().regex(/^$|^wss?:\/\/[^/]/, "expected ws://host:port").default("")
      .describe("policy server that speaks openpi's protocol, ws://host:port; its API key: OPENPI_API_KEY"),
    label: z.string().default("").describe(
      "what the server serves, e.g. the checkpoint's name: part of the keys",
    ),
    noiseShape: z.array(z.int().min(1).max(4096)).max(3).default([])
      .describe('initial noise sent to the server as "noise", e.g. [10, 32]; empty: none'),
    renderer: z.enum(["osmesa", "egl"]).default("osmesa").describe("what draws a remote policy's pictures"),
  }).prefault({}),
  demonstrations: z.strictObject({
    episodes: z.int().min(1).max(10_000).default(10).describe("demonstrations of each task"),
    seed: z.int().min(0).default(0).describe("seed of the scripted expert's habits"),
  }).prefault({}),
  base: z.strictObject({
    horizon: z.int().min(1).max(64).default(16).describe("actions of a chunk"),
    flow: flow.hyperparameters.prefault({}),
  }).prefault({}),
});

type Settings = z.output<typeof hyperparameters>;

/** A policy's weights and units. */
interface Policy {
  readonly weights: Input<"weights">;
  readonly normalization: Input<"normalization">;
  readonly residuals: readonly Input<"weights">[];
  readonly scales: readonly Input<"normalization">[];
  /** Tasks in the order of its one-hot input. */
  readonly tasks: string[];
}

/** The name of a stage: tasks and noise streams are in it where there are several. */
function named(h: Settings, what: string, task: string, noise?: number, states?: string): string {
  const parts = [
    what,
    h.tasks.length > 1 && task,
    h.noises > 1 && noise !== undefined && `noise-${noise}`,
    states,
  ];
  return parts.filter(Boolean).join(".").replaceAll("_", "-");
}

/** Refuses what no graph can be made of. */
function check({ trials, block, tasks, policy, protocol }: Settings, states: number): void {
  const { weights, normalization, residuals, scales, url, label } = policy;
  if (states % block !== 0) {
    throw new Error(
      `Cannot evaluate ${states} states${
        trials === null ? ` (protocol ${protocol})` : ""
      } in blocks of ${block}: ` +
        "trials must be a multiple of block",
    );
  }
  if ((weights === "") !== (normalization === "")) {
    throw new Error("Cannot evaluate half a policy: give both policy.weights and policy.normalization");
  }
  if (url !== "" && (weights !== "" || residuals.length > 0)) {
    throw new Error("Cannot evaluate two policies at once: give policy.url or policy.weights");
  }
  if (url !== "" && label === "") {
    throw new Error(`Cannot evaluate what ${url} serves without a name: say with policy.label what it is`);
  }
  const specialists = residuals.length;
  if (specialists !== scales.length || (specialists !== 0 && specialists !== tasks.length)) {
    throw new Error(
      `Cannot evaluate ${specialists} residuals with ${scales.length} scales on ${tasks.length} tasks: give one of ` +
        "each for every task, or none",
    );
  }
  if (specialists > 0 && weights === "") {
    throw new Error("Cannot evaluate residuals without the policy they correct: give policy.weights");
  }
  const foreign = policy.tasks.length === 0 ? undefined : tasks.find((task) => !policy.tasks.includes(task));
  if (foreign !== undefined) {
    throw new Error(`Cannot evaluate task "${foreign}": policy.tasks has ${policy.tasks.join(", ")}`);
  }
}

/** The policy that acts in a task: the one that is named, or a base of the task's own. */
function policyOf(stage: AddStage, h: Settings, world: WorldSettings, task: string): Policy {
  const { weights, normalization, residuals, scales, tasks } = h.policy;
  if (weights !== "") {
    const at = h.tasks.indexOf(task);
    return {
      weights: given("weights", weights),
      normalization: given("normalization", normalization),
      residuals: residuals.slice(at, at + 1).map((each) => given("weights", each)),
      scales: scales.slice(at, at + 1).map((each) => given("normalization", each)),
      tasks: tasks.length > 0 ? tasks : [task],
    };
  }
  const { episodes, seed } = h.demonstrations;
  const parameters = { world, task, episodes, first: 0, lanes: Math.min(8, h.lanes) };
  const demonstrations = [
    stage(demonstrate, {}, parameters, { name: named(h, "demonstrations", task), seed }).episodes,
  ];
  // One base a task, not one for all: with another task the bases of the others, and their episodes, stay what they are.
  const base = stage(clone, { demonstrations }, { tasks: [task], ...h.base }, {
    name: named(h, "base", task),
  });
  return { ...base, residuals: [], scales: [], tasks: [task] };
}

/** The evaluation, block by block. */
function graph(stage: AddStage, { hyperparameters: h }: { readonly hyperparameters: Settings }): Graph {
  const { trials, replan } = protocols[h.protocol];
  const states = h.trials ?? trials;
  check(h, states);
  const { url, label, noiseShape, renderer } = h.policy;
  const execute = replan ?? h.policy.execute;
  const world: WorldSettings = { name: "libero", suite: h.suite, protocol: h.protocol };
  const cameras = liberoCameras.map((name) => ({ name }));
  const seen = { ...world, cameras, ...(renderer === "osmesa" ? {} : { renderer }) };
  const blocks: Handle<"evaluation">[] = [];
  for (const task of h.tasks) {
    const policy = url === "" ? policyOf(stage, h, world, task) : undefined;
    for (let noise = 0; noise < h.noises; noise++) {
      for (let first = 0; first < states; first += h.block) {
        const range = h.block === 1 ? `state-${first}` : `states-${first}-${first + h.block - 1}`;
        // Seeds of noise streams, the same for every policy; the initial states have their own.
        const options = { name: named(h, "evaluate", task, noise, range), seed: 0 };
        const block = { task, first, count: h.block, noise, execute };
        if (policy) {
          const { tasks, ...inputs } = policy;
          const lanes = Math.min(h.lanes, h.block);
          blocks.push(stage(evaluateStates, inputs, { world, ...block, tasks, lanes }, options).evaluation);
        } else {
          const parameters = { served: { world: seen, url, label }, ...block, noiseShape };
          blocks.push(stage(evaluateRemote, {}, parameters, options).evaluation);
        }
      }
    }
  }
  const { evaluation } = stage(joinEvaluations, { blocks }, {}, { name: "evaluation", seed: 0 });
  return { evaluations: { policy: evaluation } };
}

/** What `exp run eval-libero` runs. */
export default experiment({
  name: "eval-libero",
  version: 1,
  summary:
    "Success of a stored or remote policy on LIBERO under a protocol of the field, stored block by block.",
  seeds: [0],
  hyperparameters,
  presets: {
    smoke: {
      "tasks": [fromTo("between_the_plate_and_the_ramekin")],
      "trials": 2,
      "block": 1,
      "lanes": 2,
      "demonstrations.episodes": 2,
      "base.flow.steps": 200,
      "base.flow.ema": 0.99,
      "base.flow.warmup": 20,
    },
  },
  graph,
});
