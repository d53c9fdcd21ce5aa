/** @jsxImportSource hono/jsx */
/** A report's numbers as tables: rates, uplifts, and both by task. */
import { comparisonName } from "../comparisons.ts";
import { count, percent, percentBounds, pointBounds, points, pValue } from "../format.ts";
import type { Report } from "../report.ts";
import { Table } from "./layout.tsx";

/** Success and uplift, with interval, n and method of every number. */
export function SuccessTables({ report }: { report: Report }) {
  const { policies, comparisons, tasks } = report;
  const against = policies[0]!.label;
  return (
    <>
      <Table
        caption="Success on held-out initial states"
        head={["Policy", "Successes", "Rate", "95 %", "Mean length", "Initial states", "Method"]}
        align="lrrrrrl"
        rows={policies.map((row) => [
          row.label,
          `${row.successes}/${row.episodes}`,
          percent(row.interval.estimate),
          percentBounds(row.interval),
          row.meanLength.toFixed(1),
          count(row.states),
          row.interval.method,
        ])}
      />
      {comparisons.length > 0 && (
        <Table
          caption="Uplift, percentage points; pairs share task, initial state and noise"
          head={["Policy", "Points", "95 %", "Won / lost", "p (Holm)", "McNemar p", "Pairs", "Method"]}
          align="lrrrrrrl"
          rows={comparisons.map((row) => [
            comparisonName(row, against),
            points(row.interval.estimate),
            pointBounds(row.interval),
            `${row.wins} / ${row.losses}`,
            pValue(row.holm),
            pValue(row.mcnemar?.p ?? null),
            count(row.pairs),
            row.interval.method,
          ])}
        />
      )}
      {tasks.length > 1 && (
        <details>
          <summary>{`By task, ${tasks.length} tasks`}</summary>
          <Table
            caption="Success by task"
            head={["Task", "Policy", "Successes", "Rate", "95 %", "Mean length"]}
            align="llrrrr"
            rows={tasks.flatMap((task) =>
              policies.flatMap((policy) => {
                const row = policy.tasks.find((each) => each.task === task);
                return row
                  ? [[
                    task,
                    policy.label,
                    `${row.successes}/${row.episodes}`,
                    percent(row.interval.estimate),
                    percentBounds(row.interval),
                    row.meanLength.toFixed(1),
                  ]]
                  : [];
              })
            )}
          />
        </details>
      )}
    </>
  );
}
