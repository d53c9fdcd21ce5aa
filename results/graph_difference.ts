/** What was asked for, compared: hyperparameters, and the stages of two graphs with their edges and parameters. */
import type { Json } from "../lab/canonical.ts";
import type { Plan, PlannedStage, Source } from "../lab/plan.ts";

/** A value that differs; a side that lacks it has no member. */
export interface ValueDifference {
  /** Dotted path. */
  readonly path: string;
  /** The first value. */
  readonly a?: Json;
  /** The second value. */
  readonly b?: Json;
}

/** A stage that only one graph has. */
export interface LoneStage {
  /** Name of the stage. */
  readonly name: string;
  /** Repository-relative path of its module. */
  readonly entry: string;
}

/** An edge, module or label that leads elsewhere; "" where a side has none. */
export interface Rewired {
  /** Name of the stage; "evaluations" and "curves" for the graph's own results. */
  readonly stage: string;
  /** Role of the input, "module", or label of the result. */
  readonly role: string;
  /** Where the first one leads, as "stage/output", several joined by commas. */
  readonly a: string;
  /** Where the second one leads. */
  readonly b: string;
}

/** How two graphs differ. */
export interface GraphDifference {
  /** Stages of the second alone. */
  readonly added: readonly LoneStage[];
  /** Stages of the first alone. */
  readonly removed: readonly LoneStage[];
  /** Edges of stages that both have, and of labelled results. */
  readonly rewired: readonly Rewired[];
  /** Parameters of stages that both have, where no changed hyperparameter explains them. */
  readonly parameters: readonly (ValueDifference & { readonly stage: string })[];
}

/** Leaves that differ between two documents, by path; lists are leaves. */
export function valueDifferences(a: Json | undefined, b: Json | undefined, path = ""): ValueDifference[] {
  // A group that one side lacks is told value by value, too.
  const [left, right] = [a ?? (isRecord(b) ? {} : a), b ?? (isRecord(a) ? {} : b)];
  if (isRecord(left) && isRecord(right)) {
    const names = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...names].flatMap((name) =>
      valueDifferences(left[name], right[name], path ? `${path}.${name}` : name)
    );
  }
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  return [{ path, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) }];
}

/** Compares two graphs by the names of their stages. */
export function graphDifference(a: Plan, b: Plan): GraphDifference {
  const [first, second] = [a, b].map(({ stages }) => new Map(stages.map((stage) => [stage.name, stage])));
  const lone = (stages: readonly PlannedStage[], others: ReadonlyMap<string, PlannedStage>) =>
    stages.filter(({ name }) => !others.has(name)).map(({ name, entry }) => ({ name, entry }));
  const shared = a.stages.flatMap((stage) => {
    const other = second!.get(stage.name);
    return other ? [[stage, other] as const] : [];
  });
  const asked = valueDifferences(a.hyperparameters, b.hyperparameters);
  const explained = new Set(asked.map((each) => JSON.stringify([each.a, each.b])));
  return {
    added: lone(b.stages, first!),
    removed: lone(a.stages, second!),
    rewired: [
      ...shared.flatMap(([left, right]) => [
        ...routes(left.name, { module: left.entry }, { module: right.entry }),
        ...routes(left.name, ends(left.inputs), ends(right.inputs)),
      ]),
      ...routes("evaluations", ends(a.evaluations), ends(b.evaluations)),
      ...routes("curves", ends(a.curves), ends(b.curves)),
    ],
    parameters: shared.flatMap(([left, right]) => {
      const own = { ...(left.parameters as Record<string, Json>) };
      const other = { ...(right.parameters as Record<string, Json>) };
      const seeds = a.seed === b.seed && left.seed !== right.seed;
      return [
        ...(seeds ? [{ stage: left.name, path: "seed", a: left.seed, b: right.seed }] : []),
        // A hyperparameter that went from x to y is why a parameter did: it need not be told twice.
        ...valueDifferences(own, other).filter((each) => !explained.has(JSON.stringify([each.a, each.b])))
          .map((each) => ({ stage: left.name, ...each })),
      ];
    }),
  };
}

const ends = (edges: PlannedStage["inputs"]) =>
  Object.fromEntries(
    Object.entries(edges).map((
      [role, given],
    ) => [role, (given instanceof Array ? given : [given as Source]).map(end)]),
  );

const end = (source: Source) => "given" in source ? source.given : `${source.stage}/${source.output}`;

function routes(
  stage: string,
  a: Readonly<Record<string, string | readonly string[]>>,
  b: Readonly<Record<string, string | readonly string[]>>,
): Rewired[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((role) => {
    const [left, right] = [a, b].map((each) => [each[role] ?? []].flat().join(", "));
    return left === right ? [] : [{ stage, role, a: left!, b: right! }];
  });
}

function isRecord(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
