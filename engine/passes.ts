/**
 * Rewrites that make a program cheaper and keep its values, up to the rounding of reordered scalars. One exception is
 * taken: x · 0 is 0 even where x is not finite.
 *
 * A rule looks at one value, whose inputs are rewritten already, and returns what to compute instead. Rules run
 * until none fires.
 */
import { countUses, type Graph, topological, type Value } from "./graph.ts";
import { aliases } from "./passes_alias.ts";
import { broadcasts } from "./passes_broadcast.ts";
import { layouts } from "./passes_layout.ts";
import { pack } from "./passes_packing.ts";
import { products } from "./passes_product.ts";
import { reductions } from "./passes_reduction.ts";
import { scalars } from "./passes_scalar.ts";

/** What a rule may ask besides the value. */
export interface Context {
  /** Takes the values that a rule computes instead. */
  readonly graph: Graph;
  /** Whether only one value reads this one. */
  readonly usedOnce: (value: Value) => boolean;
  /** Whether every reader of this value is of operator `op`. */
  readonly readBy: (value: Value, op: string) => boolean;
}

/** A rewrite: a cheaper value of the same shape and element type, or nothing. */
export type Rule = (value: Value, context: Context) => Value | undefined;

const rules: readonly Rule[] = [
  ...aliases,
  ...broadcasts,
  ...scalars,
  ...products,
  ...reductions,
  ...layouts,
];

// Enough for the longest chain of rewrites met so far, five times over; a pair of rules that undo each other must not
// hang a run.
const SWEEPS = 100;

/** The values that give the same results as `roots` at less cost. */
export function optimize(graph: Graph, roots: readonly Value[]): Value[] {
  let current = [...roots];
  for (let i = 0; i < SWEEPS; i++) {
    const next = sweep(graph, current);
    if (next.every((value, j) => value === current[j])) break;
    current = next;
  }
  return pack(graph, current);
}

function sweep(graph: Graph, roots: readonly Value[]): Value[] {
  const uses = countUses(roots);
  const readers = new Map<Value, Set<string>>();
  const order = topological(roots);
  for (const value of order) {
    for (const input of value.inputs) {
      if (!readers.has(input)) readers.set(input, new Set());
      readers.get(input)!.add(value.op);
    }
  }
  const isRoot = new Set(roots);
  const done = new Map<Value, Value>();
  // Rewritten values stand for the uses of what they replace; a value that a rule has just made has one.
  const inherited = new Map<Value, number>();
  const origin = new Map<Value, Value[]>();
  const context: Context = {
    graph,
    usedOnce: (value) => (inherited.get(value) ?? 1) <= 1,
    readBy: (value, op) =>
      (origin.get(value) ?? []).every((old) =>
        !isRoot.has(old) && [...readers.get(old) ?? []].every((reader) => reader === op)
      ),
  };
  for (const value of order) {
    let next = graph.withInputs(value, value.inputs.map((input) => done.get(input)!));
    for (let fired = true; fired;) {
      fired = false;
      for (const rule of rules) {
        const better = rule(next, context);
        if (!better || better === next) continue;
        next = better;
        fired = true;
        break;
      }
    }
    done.set(value, next);
    inherited.set(next, (inherited.get(next) ?? 0) + (uses.get(value) ?? 0));
    origin.set(next, [...origin.get(next) ?? [], value]);
  }
  return roots.map((root) => done.get(root)!);
}
