/** The report of a finished run: built by results/, written beside the outcomes. */
import { join } from "node:path";
import type { Plan } from "../lab/plan.ts";
import type { StageResult } from "../lab/runner.ts";
import type { Store } from "../lab/store.ts";

/** A report in its three forms. */
export interface Report {
  readonly json: unknown;
  readonly markdown: string;
  /** SVG texts by file name without extension. */
  readonly svgs: Readonly<Record<string, string>>;
}

/** Builds the report of a run and writes it to reports/<definition>-<seed>/; null when it has no evaluations. */
export async function buildReport(
  plan: Plan,
  stages: readonly StageResult[],
  result: string,
  store: Store,
): Promise<Report | null> {
  if (Object.keys(plan.evaluations).length === 0) return null;
  const bytes = (edges: Plan["evaluations"]) =>
    Object.fromEntries(
      Object.entries(edges).map(([label, { stage, output }]) => {
        const digest = stages.find(({ name }) => name === stage)!.outputs[output]!.digest;
        return [label, store.objects.read(digest)];
      }),
    );
  // The one computed import: results/ is only loaded for runs that have something to report.
  const place = new URL("../results/report.ts", import.meta.url).href;
  const { buildReport: build } = await import(place);
  const report: Report = await build({
    experiment: plan.experiment,
    version: plan.version,
    seed: plan.seed,
    hyperparameters: plan.hyperparameters,
    overrides: plan.settings,
    stages: stages.map(({ name, entry, seconds, budget, state }) => ({
      name,
      stage: entry,
      seconds,
      budget,
      state,
    })),
    evaluations: bytes(plan.evaluations),
    curves: bytes(plan.curves),
  });
  writeReport(plan, report, result, store);
  return report;
}

function writeReport(plan: Plan, report: Report, result: string, store: Store): void {
  const folder = join(store.directory, "reports", `${plan.definition}-${plan.seed}`);
  const files: Record<string, string> = {
    "report.json": JSON.stringify({ result, report: report.json }, null, 2) + "\n",
    "report.md": report.markdown,
    ...Object.fromEntries(Object.entries(report.svgs).map(([name, svg]) => [`${name}.svg`, svg])),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    const bytes = new TextEncoder().encode(text);
    if (same(path, bytes)) continue;
    try {
      store.writer.write(path, [bytes]);
    } catch {
      // A store that is only read still answers: the report is printed.
      return;
    }
  }
}

function same(path: string, bytes: Uint8Array): boolean {
  try {
    const there = Deno.readFileSync(path);
    return there.length === bytes.length && there.every((byte, i) => byte === bytes[i]);
  } catch {
    return false;
  }
}
