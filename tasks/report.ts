/** The report of a finished run: built by results/, written beside the outcomes. */
import { join } from "node:path";
import type { buildReport as build } from "../results/report.ts";
import { isReadOnly, type Writer } from "../lab/durable.ts";
import { firstLine } from "../lab/errors.ts";
import { methodStages } from "../lab/method_stages.ts";
import type { Edge, Plan } from "../lab/plan.ts";
import type { StageResult } from "../lab/runner.ts";
import { worldsOf } from "../lab/simulator.ts";
import type { Store } from "../lab/store.ts";

/** A report in its forms. */
export type Built = ReturnType<typeof build>;

/** A report that was built, and the line that says why it is not in the store. */
export interface Reported<R> {
  readonly report: R;
  /** Null when it was written, and for a store that is only read. */
  readonly failure: string | null;
}

/** The report of one seed, and the tables it was made from. */
export interface ReportedSeed extends Reported<Built> {
  /** Evaluations by label. */
  readonly evaluations: Readonly<Record<string, Uint8Array>>;
}

/** Builds the report of a run and writes it to reports/<definition>-<seed>/; null when it has no evaluations. */
export async function reportOn(
  plan: Plan,
  stages: readonly StageResult[],
  result: string,
  store: Store,
): Promise<ReportedSeed | null> {
  if (Object.keys(plan.evaluations).length === 0) return null;
  const read = ({ stage, output }: Edge) =>
    store.objects.read(stages.find(({ name }) => name === stage)!.outputs[output]!.digest);
  const bytes = (edges: Plan["evaluations"]) =>
    Object.fromEntries(Object.entries(edges).map(([label, edge]) => [label, read(edge)]));
  // Loaded here, so that a run without evaluations does without.
  const { buildReport } = await import("../results/report.ts");
  const { experiment, version, summary, seed, hyperparameters, settings } = plan;
  const worlds = worldsOf(plan), evaluations = bytes(plan.evaluations), methods = methodStages(plan, read);
  const report = buildReport({
    experiment,
    version,
    summary,
    seed,
    result,
    hyperparameters,
    overrides: settings,
    stages: stages.map(({ name, entry, seconds, budget, state }) => {
      return { name, stage: entry, seconds, budget, state: state === "interrupted" ? "failed" : state };
    }),
    evaluations,
    curves: bytes(plan.curves),
    ...(plan.comparisons ? { comparisons: plan.comparisons } : {}),
    ...(plan.expectations ? { expectations: plan.expectations } : {}),
    ...(methods.length > 0 ? { methods } : {}),
    ...(worlds.length > 0 ? { worlds } : {}),
  });
  return { report, evaluations, failure: writeReport(`${plan.definition}-${plan.seed}`, report, store) };
}

/** Aggregates the reports of several seeds of one definition and writes that beside them. */
export async function reportOnSeeds(plans: readonly Plan[], reported: readonly ReportedSeed[], store: Store) {
  const { aggregateSeeds } = await import("../results/seeds.ts");
  const aggregate = aggregateSeeds(
    reported.map(({ report }) => report.json),
    reported.map(({ evaluations }) => evaluations),
  );
  const seeds = plans.map(({ seed }) => seed).join("-");
  const failure = writeReport(`${plans[0]!.definition}-seeds-${seeds}`, aggregate, store);
  return { report: aggregate, failure };
}

function writeReport(
  name: string,
  report: { json: unknown; markdown: string; svgs: Readonly<Record<string, string>> },
  store: Store,
): string | null {
  const folder = join(store.directory, "reports", name);
  const files: Record<string, string> = {
    "report.json": JSON.stringify(report.json, null, 2) + "\n",
    "report.md": report.markdown,
    ...Object.fromEntries(Object.entries(report.svgs).map(([name, svg]) => [`${name}.svg`, svg])),
  };
  const changed = Object.entries(files)
    .map(([name, text]) => ({ path: join(folder, name), bytes: new TextEncoder().encode(text) }))
    .filter(({ path, bytes }) => !same(path, bytes));
  if (changed.length === 0) return null;
  let writer: Writer;
  try {
    writer = store.writer;
  } catch (error) {
    // A store that is only read still answers: the report is printed.
    return isReadOnly(error) ? null : unwritten(error);
  }
  try {
    for (const { path, bytes } of changed) writer.write(path, [bytes]);
    return null;
  } catch (error) {
    return unwritten(error);
  }
}

function unwritten(error: unknown): string {
  return `Cannot write the report: ${firstLine(error).replace(/^Cannot/, "cannot")}`;
}

function same(path: string, bytes: Uint8Array): boolean {
  try {
    const there = Deno.readFileSync(path);
    return there.length === bytes.length && there.every((byte, i) => byte === bytes[i]);
  } catch {
    return false;
  }
}
