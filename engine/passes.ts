import type { Graph, Value } from "./graph.ts";
export function optimize(_graph: Graph, roots: readonly Value[]): Value[] {
  return [...roots];
}
