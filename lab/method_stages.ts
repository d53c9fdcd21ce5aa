/** Which stages of a plan stand behind each method that it sets side by side. */
import type { Edge, Plan } from "./plan.ts";
import { ancestors } from "./runner.ts";

/** The stages of a method, without those that the first policy needs, and without evaluations on held-out states. */
export interface MethodStages {
  /** Label of the evaluation of what the method ends with. */
  readonly label: string;
  /** Names of its stages, in graph order. */
  readonly stages: readonly string[];
  /** Those of them that keep episodes to learn from. */
  readonly collecting: readonly string[];
  /** Tables of its success on training states, in order. */
  readonly progress: readonly {
    /** The stage that wrote the table. */
    readonly stage: string;
    /** The method's stages that came before it. */
    readonly before: readonly string[];
    /** An Arrow table with a column `success`. */
    readonly table: Uint8Array;
  }[];
}

/**
 * The methods of a plan; none where it has none.
 *
 * @param read the bytes of an output
 */
export function methodStages(plan: Plan, read: (edge: Edge) => Uint8Array): MethodStages[] {
  const { stages, evaluations, methods = [] } = plan;
  const kinds = new Map(stages.map(({ name, outputs }) => [name, Object.values(outputs)]));
  const shared = ancestors(plan, Object.values(evaluations)[0]!.stage);
  /** What a stage needs beyond the first policy, itself included, in graph order. */
  const own = (name: string) => {
    const reached = ancestors(plan, name);
    return stages.map((stage) => stage.name).filter((each) =>
      reached.has(each) && !shared.has(each) && !kinds.get(each)!.includes("evaluation")
    );
  };
  return methods.map(({ label, progress }): MethodStages => {
    const all = own(evaluations[label]!.stage);
    return {
      label,
      stages: all,
      collecting: all.filter((name) => kinds.get(name)!.includes("episodes")),
      progress: progress.map((edge) => ({
        stage: edge.stage,
        before: own(edge.stage).filter((name) => name !== edge.stage && all.includes(name)),
        table: read(edge),
      })),
    };
  });
}
