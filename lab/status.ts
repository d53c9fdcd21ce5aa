/** Where a plan stands in a store, without running anything. */
import type { StageKey } from "./key.ts";
import type { ModuleGraph } from "./module_graph.ts";
import type { Plan, PlannedStage } from "./plan.ts";
import { needs, plannedKey, resultHash, type StageResult } from "./runner.ts";
import { codeOf } from "./simulator.ts";
import type { Outcome, Output, Store } from "./store.ts";

/** A stage as the store knows it. */
export interface StageStatus {
  /** The stage as planned. */
  readonly stage: PlannedStage;
  /** Null while an input is not made. */
  readonly key: StageKey | null;
  /** Undefined when it is to be made. */
  readonly outcome: Outcome | undefined;
}

/** The state of every stage, in graph order. */
export function status({ stages }: Plan, graph: ModuleGraph, store: Store): StageStatus[] {
  const known = new Map<string, Readonly<Record<string, Output>>>();
  return stages.map((stage) => {
    // Without its simulator or device nobody can tell a stage's key.
    const missing = stage.simulator?.missing ?? stage.device?.missing;
    if (missing !== undefined || needs(stage).some((needed) => !known.has(needed))) {
      return { stage, key: null, outcome: undefined };
    }
    const key = plannedKey(stage, codeOf(stage, graph), (needed) => known.get(needed)!);
    const outcome = store.outcome(key.key);
    if (outcome) known.set(stage.name, outcome.outputs);
    return { stage, key, outcome };
  });
}

/** The stages of a plan under the keys of an earlier run, whatever the code is now. */
export function statusOfRun(
  { stages }: Plan,
  keys: Readonly<Record<string, string>>,
  store: Store,
): StageStatus[] {
  return stages.map((stage) => {
    const hash = keys[stage.name];
    if (hash === undefined) return { stage, key: null, outcome: undefined };
    return { stage, key: store.key(hash) ?? null, outcome: store.outcome(hash) };
  });
}

/** "done" when every stage is in the store, "never run" when none is. */
export function summarize(stages: readonly StageStatus[]): "never run" | "partly" | "done" {
  const made = stages.filter(({ outcome }) => outcome).length;
  return made === 0 ? "never run" : made < stages.length ? "partly" : "done";
}

/** The stages as a finished run would list them, and the result hash; null unless all are done. */
export function asRun(stages: readonly StageStatus[]): { stages: StageResult[]; result: string } | null {
  const results: StageResult[] = [];
  for (const { stage: { name, entry }, key, outcome } of stages) {
    if (!key || !outcome) return null;
    const { seconds, budget, outputs } = outcome;
    results.push({ name, entry, key: key.key, state: "hit", seconds, budget, outputs });
  }
  return { stages: results, result: resultHash(results) };
}
