/**
 * Two runs compared at five levels, only what differs: hyperparameters, code, graph, outputs, metrics. Nothing is run;
 * what a store does not have is said to be missing.
 */
import { stream } from "../random.ts";
import type { Subject } from "../lab/subject.ts";
import type { Store } from "../lab/store.ts";
import { type CodeDifference, codeDifference } from "./code_difference.ts";
import { byTask } from "./comparisons.ts";
import { decodeEvaluation, type Rate, rate, type Uplift, uplift } from "./evaluation.ts";
import {
  type GraphDifference,
  graphDifference,
  type ValueDifference,
  valueDifferences,
} from "./graph_difference.ts";
import { type OutputDetail, outputDifference } from "./output_difference.ts";
import { holm } from "./statistics.ts";

/** One of the two runs. */
export interface Side {
  /** As it was named. */
  readonly label: string;
  /** Name of the experiment. */
  readonly experiment: string;
  /** Version of the experiment. */
  readonly version: number;
  /** Seed of the run. */
  readonly seed: number;
  /** Hash of what was declared. */
  readonly definition: string;
  /** Hash over all outputs; null while stages are missing. */
  readonly result: string | null;
}

/** An output whose bytes differ. */
export interface StoredDifference {
  /** Name of the stage. */
  readonly stage: string;
  /** Name of its output. */
  readonly output: string;
  /** What it holds. */
  readonly kind: string;
  /** Digest and size of the first. */
  readonly a: { readonly digest: string; readonly bytes: number };
  /** Digest and size of the second. */
  readonly b: { readonly digest: string; readonly bytes: number };
  /** Whether the stage read the same bytes on both sides: here the results part. */
  readonly origin: boolean;
  /** What is different inside. */
  readonly detail: OutputDetail;
}

/** Success on one side and the other, and the paired difference b - a. */
export interface MetricDifference {
  /** Label of the evaluation. */
  readonly label: string;
  /** Success of the first. */
  readonly a: Rate;
  /** Success of the second. */
  readonly b: Rate;
  /** Success of the second minus the first, on the episodes they share. */
  readonly difference: Uplift;
  /** p adjusted over all labels by Holm's method; null where there was no test. */
  readonly holm: number | null;
  /** The same by task, where there are several. */
  readonly tasks: readonly {
    readonly task: string;
    readonly a: Rate;
    readonly b: Rate;
    readonly difference: Uplift;
  }[];
}

/** All that differs between two runs. */
export interface Difference {
  /** The first run. */
  readonly a: Side;
  /** The second run. */
  readonly b: Side;
  /** Hyperparameters by dotted path. */
  readonly hyperparameters: readonly ValueDifference[];
  /** Modules, packages and runtime behind stages that both have. */
  readonly code: CodeDifference;
  /** Stages and their edges. */
  readonly graph: GraphDifference;
  /** Outputs of stages that both have. */
  readonly outputs: {
    readonly different: readonly StoredDifference[];
    /** Number of outputs with equal digests. */
    readonly equal: number;
    /** Stages that a side has not made. */
    readonly missing: readonly { readonly stage: string; readonly sides: readonly ("a" | "b")[] }[];
  };
  /** Evaluations that differ, by label. */
  readonly metrics: readonly MetricDifference[];
}

/**
 * Compares two runs.
 *
 * @throws {StoreError} when an object is missing or damaged
 */
export function difference(a: Subject, b: Subject, store: Store): Difference {
  return {
    a: side(a),
    b: side(b),
    hyperparameters: valueDifferences(a.plan.hyperparameters, b.plan.hyperparameters),
    code: codeDifference(a, b, store),
    graph: graphDifference(a.plan, b.plan),
    outputs: outputs(a, b, store),
    metrics: metrics(a, b, store),
  };
}

/** Whether two runs agree in all five levels. */
export function isSame({ hyperparameters, code, graph, outputs, metrics }: Difference): boolean {
  const lists: readonly (readonly unknown[])[] = [
    hyperparameters,
    ...Object.values(code),
    ...Object.values(graph),
    outputs.different,
    outputs.missing,
    metrics,
  ];
  return lists.every((list) => list.length === 0);
}

function side({ label, plan, result }: Subject): Side {
  const { experiment, version, seed, definition } = plan;
  return { label, experiment, version, seed, definition, result };
}

function outputs(a: Subject, b: Subject, store: Store): Difference["outputs"] {
  const different: StoredDifference[] = [];
  const missing: { stage: string; sides: ("a" | "b")[] }[] = [];
  let equal = 0;
  for (const left of a.stages) {
    const right = b.stages.find(({ stage }) => stage.name === left.stage.name);
    if (!right) continue;
    const { name: stage } = left.stage;
    if (!left.outcome || !right.outcome) {
      missing.push({
        stage,
        sides: [...left.outcome ? [] : ["a" as const], ...right.outcome ? [] : ["b" as const]],
      });
      continue;
    }
    const inputs = [left, right].map(({ key }) => JSON.stringify(key?.preimage.inputs));
    for (const [output, first] of Object.entries(left.outcome.outputs)) {
      const second = right.outcome.outputs[output];
      if (!second) continue;
      if (first.digest === second.digest) {
        equal++;
        continue;
      }
      const kind = left.stage.outputs[output] ?? "";
      const [x, y] = [first, second].map(({ digest }) => store.objects.read(digest));
      different.push({
        stage,
        output,
        kind,
        a: { digest: first.digest, bytes: first.bytes },
        b: { digest: second.digest, bytes: second.bytes },
        origin: inputs[0] === inputs[1],
        detail: outputDifference(kind, x!, y!),
      });
    }
  }
  return { different, equal, missing };
}

/** The evaluations that both declare and have, and that are not equal. Their differences are one family of tests. */
function metrics(a: Subject, b: Subject, store: Store): MetricDifference[] {
  const rows = Object.entries(a.plan.evaluations).flatMap(([label, edge]) => {
    const other = b.plan.evaluations[label];
    const [x, y] = [digest(a, edge), other && digest(b, other)];
    if (!x || !y || x === y) return [];
    const [before, after] = [x, y].map((digest) => decodeEvaluation(store.objects.read(digest), label));
    const tasks = [...new Set([...before!, ...after!].map(({ task }) => task))].sort();
    const later = new Map(byTask(after!, tasks));
    const shared = byTask(before!, tasks).filter(([task]) => later.has(task));
    return [{
      label,
      a: rate(before!),
      b: rate(after!),
      difference: uplift(before!, after!, stream(0, "diff", label)),
      tasks: tasks.length < 2 ? [] : shared.map(([task, rows]) => ({
        task,
        a: rate(rows),
        b: rate(later.get(task)!),
        difference: uplift(rows, later.get(task)!, stream(0, "diff", label, task)),
      })),
    }];
  });
  const tested = rows.filter(({ difference }) => difference.test);
  const adjusted = holm(tested.map(({ difference }) => difference.test!.p));
  return rows.map((row) => ({ ...row, holm: adjusted[tested.indexOf(row)] ?? null }));
}

function digest(
  { stages }: Subject,
  { stage, output }: { stage: string; output: string },
): string | undefined {
  return stages.find((each) => each.stage.name === stage)?.outcome?.outputs[output]?.digest;
}
