/** @jsxImportSource hono/jsx */
/** Learning curves over seeds: a figure that needs no script, redrawn by uPlot where there is one. */
import { firstLine } from "../../lab/errors.ts";
import { learningCurves } from "../charts.ts";
import { Figure, Note, Table } from "./layout.tsx";
import type { Reader } from "./reader.ts";
import type { DefinitionRow } from "./run_index.ts";
import { type RunView, viewRun } from "./run_view.ts";
import { metricsOf, type SeedCurve, seedCurve, type SeedTable } from "./seed_curves.ts";

/** Stretches of x a curve is drawn with: about two points a pixel of a wide chart. */
export const BUCKETS = 600;

/** The tables of each curve over the seeds of a definition. */
export function curveTables(reader: Reader, row: DefinitionRow): Map<string, SeedTable[]> {
  const tables = new Map<string, SeedTable[]>();
  for (const { seed } of row.seeds) {
    const view = viewRun(reader, row.definition, seed);
    if (view === "damaged" || view === "missing") continue;
    for (const [label, { stage, output }] of metricEdges(view)) {
      const outcome = view.stages.find((each) => each.stage.name === stage)?.outcome;
      const blob = outcome?.outputs[output];
      if (!blob) continue;
      tables.set(label, [...tables.get(label) ?? [], { seed, bytes: reader.read(blob.digest) }]);
    }
  }
  return tables;
}

/** Curves the experiment names, then every other table of metrics its stages write. */
function metricEdges({ record: { plan } }: RunView): [string, { stage: string; output: string }][] {
  const named = Object.entries(plan.curves);
  const taken = new Set(named.map(([, { stage, output }]) => `${stage}/${output}`));
  const others = plan.stages.flatMap((stage) =>
    Object.entries(stage.outputs).filter(([output, kind]) =>
      kind === "metrics" && !taken.has(`${stage.name}/${output}`)
    )
      .map(([output]): [string, { stage: string; output: string }] => [
        `${stage.name}/${output}`,
        { stage: stage.name, output },
      ])
  );
  return [...named, ...others];
}

/** The curve of one metric of every table that has it. */
export function curvesOf(
  tables: ReadonlyMap<string, SeedTable[]>,
  metric: string,
  buckets: number,
): SeedCurve[] {
  return [...tables].flatMap(([label, each]) => seedCurve(label, metric, each, buckets) ?? []);
}

/** The section; empty for an experiment without tables of metrics. */
export function LearningCurves({ view, row, reader, metric }: {
  view: RunView;
  row: DefinitionRow;
  reader: Reader;
  metric: string;
}) {
  const { definition, seed } = view.record.plan;
  let metrics: string[];
  let chosen: string;
  let curves: SeedCurve[];
  try {
    const tables = curveTables(reader, row);
    metrics = [...new Set([...tables.values()].flatMap(([first]) => first ? metricsOf(first.bytes) : []))];
    if (metrics.length === 0) return null;
    chosen = metrics.includes(metric) ? metric : metrics.includes("success") ? "success" : metrics[0]!;
    curves = curvesOf(tables, chosen, BUCKETS);
  } catch (error) {
    // The rest of the page does not depend on them.
    return <Note kind="problem">{`No learning curves: ${firstLine(error)}`}</Note>;
  }
  const isRate = chosen === "success" || chosen.endsWith("_success");
  return (
    <section aria-labelledby="learning">
      <h2 id="learning">Learning</h2>
      <nav class="metrics" aria-label="Metric">
        {metrics.map((each) => (
          <a
            href={`/experiments/${definition}?seed=${seed}&metric=${encodeURIComponent(each)}#learning`}
            aria-current={each === chosen ? "true" : undefined}
          >
            {each}
          </a>
        ))}
      </nav>
      {[...Map.groupBy(curves, ({ unit }) => unit)].map(([unit, group]) => (
        <div
          class="chart"
          data-curves={`/experiments/${definition}/curves.json?metric=${encodeURIComponent(chosen)}&unit=${
            encodeURIComponent(unit)
          }`}
          data-rate={isRate ? "yes" : undefined}
        >
          {isRate
            ? (
              <Figure
                svg={learningCurves({
                  title: chosen.replaceAll("_", " "),
                  xLabel: unit.replaceAll("_", " "),
                  curves: group.map(({ label, x, mean, low, high }, i) => ({
                    label,
                    x,
                    y: mean.map((value) => value ?? NaN),
                    band: {
                      low: low.map((v, k) => v ?? mean[k] ?? NaN),
                      high: high.map((v, k) => v ?? mean[k] ?? NaN),
                    },
                    colour: i + 1,
                  })),
                })}
              />
            )
            : <LastValues curves={group} />}
        </div>
      ))}
      <ul class="quiet">
        {curves.map(({ label, method, n, unit, x }) => (
          <li>
            {`${label} over ${unit.replaceAll("_", " ")}: ${method}; n = ${Math.min(...n)}${
              Math.max(...n) === Math.min(...n) ? "" : ` to ${Math.max(...n)}`
            } seeds a point, ${x.length} ${x.length === 1 ? "point" : "points"} drawn`}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What a reader without scripts sees of a metric that is no rate. */
function LastValues({ curves }: { curves: readonly SeedCurve[] }) {
  const text = (value: number | null | undefined) =>
    value === null || value === undefined ? "–" : value.toPrecision(4);
  return (
    <Table
      head={["Curve", "First", "Last", "Least", "Greatest"]}
      align="lrrrr"
      rows={curves.map(({ label, mean }) => {
        const measured = mean.filter((value) => value !== null);
        return [
          label,
          text(measured[0]),
          text(measured.at(-1)),
          text(measured.reduce<number | null>((a, b) => a === null || b < a ? b : a, null)),
          text(measured.reduce<number | null>((a, b) => a === null || b > a ? b : a, null)),
        ];
      })}
    />
  );
}
