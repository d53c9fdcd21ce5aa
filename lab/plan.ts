/** A plan: an experiment's graph under one request, as plain JSON. Planning computes nothing and reads no store. */
import type { z } from "zod";
import { documentHash, type Json } from "./canonical.ts";
import { firstLine, UsageError } from "./errors.ts";
import type { AddStage, Experiment, Given, Graph, Handle, Input } from "./experiment.ts";
import { repository } from "./module_graph.ts";
import { type Parameter, type Request, resolve, type Setting } from "./overrides.ts";
import type { PlannedDevice } from "./device.ts";
import { type PlannedSimulator, simulatorIn } from "./simulator.ts";
import type { Inputs, Kind, Outputs, StageModule } from "./stage.ts";

/** An edge: which output of which stage. */
export interface Edge {
  /** Name of the stage. */
  readonly stage: string;
  /** Name of its output. */
  readonly output: string;
}

/** Where an input comes from: a stage of the plan, or the store. */
export type Source = Edge | Given;

/** A stage of a plan. */
export interface PlannedStage {
  /** Unique in the plan. */
  readonly name: string;
  /** Repository-relative path of its module. */
  readonly entry: string;
  /** Where each role is read from. */
  readonly inputs: Readonly<Record<string, Source | readonly Source[]>>;
  /** Kinds by name. */
  readonly outputs: Readonly<Record<string, Kind>>;
  /** With defaults filled in. */
  readonly parameters: Json;
  /** Seed of its random streams. */
  readonly seed: number;
  /** The simulator outside this repository that it needs, if any. */
  readonly simulator?: PlannedSimulator;
  /** What it runs programs on; absent for the CPU, and where it runs none. */
  readonly device?: PlannedDevice;
}

/** Everything a run needs to know; stages come after those they read from. */
export interface Plan {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Its version. */
  readonly version: number;
  /** Its summary. */
  readonly summary: string;
  /** Seeds of its full result. */
  readonly seeds: readonly number[];
  /** Names of its presets. */
  readonly presets: readonly string[];
  /** The seed of this plan. */
  readonly seed: number;
  /** What was asked for. */
  readonly request: Request;
  /** All hyperparameters. */
  readonly hyperparameters: Json;
  /** Those that somebody set. */
  readonly settings: readonly Setting[];
  /** What there is to set; absent in records of older plans. */
  readonly parameters?: readonly Parameter[];
  /** In an order in which they can run. */
  readonly stages: readonly PlannedStage[];
  /** Success tables by label; the first is what the others are compared with. */
  readonly evaluations: Readonly<Record<string, Edge>>;
  /** Learning curves by label. */
  readonly curves: Readonly<Record<string, Edge>>;
  /** Pairs of labels to compare beside those with the first; absent when there are none. */
  readonly comparisons?: NonNullable<Graph["comparisons"]>;
  /** What later stages take for granted of evaluations; absent when there is nothing. */
  readonly expectations?: NonNullable<Graph["expectations"]>;
  /** Methods to set side by side; absent when there are none. */
  readonly methods?: readonly { readonly label: string; readonly progress: readonly Edge[] }[];
  /** What no command of this repository brings; absent when there is nothing. */
  readonly needs?: NonNullable<Experiment["needs"]>;
  /** Hash of what was declared: name, version, hyperparameters and graph; the same for every seed. */
  readonly definition: string;
}

/**
 * Resolves a request.
 *
 * @throws {UsageError} when the request does not fit the experiment, or no graph can be made under it
 * @throws {Error} when a comparison names no evaluation of the graph
 */
export function plan(experiment: Experiment, request: Request): Plan {
  const seed = request.seed ?? experiment.seeds[0]!;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`Cannot use seed ${seed}: seeds are non-negative integers`);
  }
  const { hyperparameters, settings, parameters } = resolve(experiment, request);
  const stages: PlannedStage[] = [];
  const add: AddStage = (module, inputs, parameters, options) =>
    addStage(stages, module, inputs, parameters, { name: options.name, seed: options.seed ?? seed });
  const graph = draw(experiment, add, { seed, hyperparameters });
  const { name, version, summary, seeds } = experiment;
  const evaluations = edges(graph.evaluations);
  const curves = edges(graph.curves ?? {});
  const comparisons = pairs(graph);
  const expectations = expected(graph);
  const methods = compared(graph);
  const presets = Object.keys(experiment.presets);
  const made = {
    experiment: name,
    version,
    summary,
    seeds,
    presets,
    seed,
    request,
    hyperparameters,
    settings,
    parameters,
    stages,
    evaluations,
    curves,
    ...comparisons,
    ...expectations,
    ...methods,
    ...(experiment.needs ? { needs: experiment.needs } : {}),
  };
  return { ...made, definition: documentHash(declaration(made)) };
}

/** The document whose hash is a plan's definition. */
export function declaration(plan: Omit<Plan, "definition">): Json {
  const {
    experiment,
    version,
    hyperparameters,
    stages,
    evaluations,
    curves,
    comparisons,
    expectations,
    methods,
  } = plan;
  return {
    kind: "uplift/definition",
    experiment,
    version,
    hyperparameters,
    // Without seeds: a definition is one question, its seeds are repetitions.
    // Without simulators: the parameters say which are meant, and what they are differs between machines.
    stages: stages.map(({ seed: _, simulator: __, device: ___, ...stage }) => stage),
    evaluations,
    curves,
    ...(comparisons ? { comparisons } : {}),
    ...(expectations ? { expectations } : {}),
    ...(methods ? { methods } : {}),
  } as unknown as Json;
}

/** The graph of an experiment; what it throws is about the hyperparameters asked for, so it is wrong use. */
function draw(
  experiment: Experiment,
  add: AddStage,
  { seed, hyperparameters }: { readonly seed: number; readonly hyperparameters: Json },
): Graph {
  try {
    return experiment.graph(add, { seed, hyperparameters: hyperparameters as Record<string, never> });
  } catch (thrown) {
    const reason = firstLine(thrown);
    const message = reason.startsWith("Cannot ") ? reason : `Cannot plan ${experiment.name}: ${reason}`;
    throw new UsageError(message, { cause: thrown });
  }
}

function addStage<I extends Inputs, O extends Outputs, S extends z.ZodType>(
  stages: PlannedStage[],
  module: StageModule<I, O, S>,
  inputs: Readonly<Record<string, Input | readonly Input[]>>,
  parameters: z.input<S>,
  { name, seed }: { name: string; seed: number },
): { readonly [N in keyof O]: Handle<O[N]> } {
  if (!/^[a-z0-9][a-z0-9.-]*$/i.test(name)) {
    throw new Error(`Cannot name a stage "${name}": use letters, digits, . and -`);
  }
  if (stages.some((stage) => stage.name === name)) {
    throw new Error(`Cannot add stage "${name}" twice: names are unique`);
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new Error(`Cannot give stage "${name}" seed ${seed}: seeds are non-negative integers`);
  }
  const missing = Object.keys(module.inputs).find((role) => !Object.hasOwn(inputs, role));
  if (missing) throw new Error(`Cannot add stage "${name}": it needs an input "${missing}"`);
  const parsed = module.parameters.safeParse(parameters);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new Error(
      `Cannot add stage "${name}": parameter ${issue.path.join(".") || "object"}: ${issue.message}`,
    );
  }
  if (!module.entry.startsWith(repository.href)) {
    throw new Error(`Cannot add stage "${name}": its module ${module.entry} must lie in the repository`);
  }
  const simulator = simulatorIn(module.parameters, parsed.data);
  stages.push({
    name,
    entry: decodeURIComponent(module.entry.slice(repository.href.length)),
    inputs: Object.fromEntries(
      Object.keys(module.inputs).map((role) => {
        const given = inputs[role]!;
        return [role, Array.isArray(given) ? given.map(source) : source(given as Input)];
      }),
    ),
    outputs: module.outputs,
    parameters: parsed.data as Json,
    seed,
    ...(simulator ? { simulator } : {}),
  });
  const handles = Object.entries(module.outputs).map((
    [output, kind],
  ) => [output, { stage: name, output, kind }]);
  return Object.fromEntries(handles);
}

/** The graph's expectations, once their labels are known to be there. */
function expected({ evaluations, expectations = [] }: Graph): Pick<Plan, "expectations"> {
  const labels = Object.keys(evaluations);
  const unknown = expectations.flatMap(({ label, near }) => [label, near]).find((each) =>
    !labels.includes(each)
  );
  if (unknown !== undefined) {
    throw new Error(`Cannot expect anything of evaluation "${unknown}": the graph has ${labels.join(", ")}`);
  }
  return expectations.length === 0 ? {} : { expectations };
}

/** The graph's methods, once their labels are known to be there. */
function compared({ evaluations, methods = [] }: Graph): Pick<Plan, "methods"> {
  const labels = Object.keys(evaluations);
  const unknown = methods.find(({ label }) => !labels.slice(1).includes(label));
  if (unknown) {
    throw new Error(
      `Cannot set method "${unknown.label}" beside "${labels[0]}": the graph has ${
        labels.slice(1).join(", ")
      }`,
    );
  }
  return methods.length === 0
    ? {}
    : { methods: methods.map(({ label, progress }) => ({ label, progress: progress.map(edge) })) };
}

/** The graph's further comparisons, once their labels are known to be there. */
function pairs({ evaluations, comparisons = [] }: Graph): Pick<Plan, "comparisons"> {
  const labels = Object.keys(evaluations);
  for (const { after, before } of comparisons) {
    const unknown = [after, before].find((label) => !labels.includes(label));
    if (unknown !== undefined) {
      throw new Error(
        `Cannot compare evaluation "${unknown}": the graph has ${labels.join(", ") || "no evaluations"}`,
      );
    }
    if (after === before || before === labels[0]) {
      throw new Error(
        `Cannot compare "${after}" with "${before}" as a further pair: name two that are not compared anyway`,
      );
    }
  }
  return comparisons.length === 0
    ? {}
    : { comparisons: comparisons.map(({ after, before }) => ({ after, before })) };
}

const edge = ({ stage, output }: Handle): Edge => ({ stage, output });
const source = (input: Input): Source =>
  "given" in input ? { given: input.given, kind: input.kind } : edge(input);
const edges = (handles: Readonly<Record<string, Handle>>) =>
  Object.fromEntries(Object.entries(handles).map(([label, handle]) => [label, edge(handle)]));
