/** Why a stage has the key it has: its preimage, and what differs from the nearest earlier one. */
import type { Json } from "./canonical.ts";
import { type Preimage, runtimeOf } from "./key.ts";
import type { Code, ModuleGraph } from "./module_graph.ts";
import { documentHash } from "./canonical.ts";
import { isGiven, mapSources } from "./given.ts";
import type { Plan, Source } from "./plan.ts";
import { codeOf } from "./simulator.ts";
import { status } from "./status.ts";
import type { Store } from "./store.ts";

/** One field of a key that differs. */
export interface Difference {
  /** Dotted path in the preimage; `code` names the module: "code rl/pld.ts". */
  readonly field: string;
  /** Undefined when the field is new. */
  readonly before: Json | undefined;
  /** Undefined when the field is gone. */
  readonly after: Json | undefined;
}

/** The answer to "why this key". */
export interface Explanation {
  /** Null while an input is not made: its key cannot be told yet. */
  readonly key: string | null;
  /** Whether an outcome of the key is in the store. */
  readonly stored: boolean;
  /** The document whose hash the key is. */
  readonly preimage: Preimage;
  /** The stored key with the fewest differing fields, the newest of equals. */
  readonly nearest: {
    readonly key: string;
    readonly experiment: string;
    readonly name: string;
    readonly created: string;
  } | null;
  /** What differs from `nearest`; none without one. */
  readonly differences: readonly Difference[];
}

/** Explains a stage of a plan. An input that is not made yet stands as "made by stage ...". */
export function why(plan: Plan, name: string, graph: ModuleGraph, store: Store): Explanation {
  const stages = status(plan, graph, store);
  const { stage, key, outcome } = stages.find(({ stage }) => stage.name === name)!;
  const code = codeOf(stage, graph);
  const digest = (edge: Source) => {
    if (isGiven(edge)) return edge.given;
    const made = stages.find(({ stage }) => stage.name === edge.stage)!.outcome;
    return made?.outputs[edge.output]?.digest ?? `made by stage "${edge.stage}"`;
  };
  const { parameters, outputs, seed, entry } = stage;
  const preimage: Preimage = key?.preimage ?? {
    kind: "uplift/stage-key",
    version: 1,
    stage: entry,
    code: documentHash(code.modules),
    packages: code.packages,
    parameters,
    inputs: mapSources(stage, digest),
    outputs,
    seed,
    runtime: runtimeOf(stage),
  };
  store.refreshIndex();
  let nearest: Explanation["nearest"] = null;
  let differences: Difference[] = [];
  for (const row of store.index.outcomes()) {
    if (row.entry !== entry || row.key === key?.key) continue;
    const earlier = store.key(row.key);
    if (!earlier) continue;
    const found = compare(earlier, { preimage, modules: code.modules });
    if (nearest && found.length >= differences.length) continue;
    nearest = { key: row.key, experiment: row.experiment, name: row.name, created: row.created };
    differences = found;
  }
  return { key: key?.key ?? null, stored: outcome !== undefined, preimage, nearest, differences };
}

/** Field by field, what differs between two keys. Code is compared module by module. */
export function compare(
  before: { preimage: Preimage; modules: Code["modules"] },
  after: { preimage: Preimage; modules: Code["modules"] },
): Difference[] {
  const { code: _a, ...left } = before.preimage;
  const { code: _b, ...right } = after.preimage;
  return [
    ...fields(before.modules, after.modules, "code ", ""),
    ...fields(left as unknown as Json, right as unknown as Json, "", "."),
  ];
}

function fields(
  before: Json | undefined,
  after: Json | undefined,
  path: string,
  joint: string,
): Difference[] {
  if (isRecord(before) && isRecord(after)) {
    const all = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return all.flatMap((name) => {
      const separator = path === "" || path.endsWith(" ") ? "" : joint;
      return fields(before[name], after[name], `${path}${separator}${name}`, ".");
    });
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [{ field: path, before, after }];
}

const isRecord = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
