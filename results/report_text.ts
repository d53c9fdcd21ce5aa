/** A report's words: Markdown for reading and keeping, an aligned table for the terminal. */
import { count, duration, percent, percentBounds, pointBounds, points, pValue } from "./format.ts";
import { groupsTable } from "./groups.ts";
import { guidanceNote, guidanceTable } from "./guidance.ts";
import { weightingNote, weightingTable } from "./weighting.ts";
import { methodsNote, methodsRows, methodsTable } from "./methods.ts";
import { type Comparison, comparisonName, type ComparisonRow } from "./comparisons.ts";
import type { PolicyRow, Report, StageRow } from "./report.ts";

/** A Markdown table; cells are escaped, the first column is left-aligned, the others as `align` says ("l" or "r"). */
export function markdownTable(
  head: readonly string[],
  align: string,
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = [...align].map((side) => side === "r" ? "---:" : "---");
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** Columns padded to equal width, two spaces apart; `align` as in markdownTable. */
export function alignedTable(
  head: readonly string[],
  align: string,
  rows: readonly (readonly string[])[],
): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all.map((row) =>
    row.map((cell, i) => align[i] === "r" ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
      .trimEnd()
  ).join("\n");
}

/** "policy: method" lines, policies of the same method together. */
function methods(rows: readonly (readonly [label: string, method: string])[]): string {
  const groups = [...Map.groupBy(rows, ([, method]) => method)];
  if (groups.length === 1) return groups[0]![0];
  return groups.map(([method, rows]) => `${rows.map(([label]) => label).join(", ")}: ${method}`).join("; ");
}

const rateCells = (row: PolicyRow | PolicyRow["tasks"][number]) => [
  `${row.successes}/${row.episodes}`,
  percent(row.interval.estimate),
  percentBounds(row.interval),
  row.meanLength.toFixed(1),
];

const upliftCells = (row: Comparison) => [
  points(row.interval.estimate),
  pointBounds(row.interval),
  row.pairs > 0 ? `${row.wins} / ${row.losses}` : "-",
  pValue(row.test?.p ?? null),
  pValue(row.holm),
];

/** How this report names a comparison. */
const nameIn = ({ policies }: Report) => (row: ComparisonRow) => comparisonName(row, policies[0]!.label);

/** The headline: what became of the first policy's success, one line a comparison. */
function headline(report: Report): string[] {
  const { policies, comparisons } = report;
  const name = nameIn(report);
  return comparisons.map((row) => {
    const of = (label: string) =>
      percent(policies.find((policy) => policy.label === label)!.interval.estimate);
    return `**${name(row)}**: ${of(row.against)} → ${of(row.label)}, uplift ${
      points(row.interval.estimate)
    } points ` +
      `${pointBounds(row.interval)} (${row.interval.method}; Holm-adjusted p ${pValue(row.holm)}).`;
  });
}

/** Sentences on comparisons that stay open. */
function open(report: Report): string[] {
  const name = nameIn(report);
  return report.comparisons.filter((row) => row.settle !== null).map((row) =>
    `The interval of ${name(row)} holds 0: a difference of ${
      points(row.interval.estimate)
    } points would need about ` +
    `${count(row.settle!)} initial states (now ${count(row.interval.n)}) to be found with 80 % power.`
  );
}

function successSection(report: Report): string[] {
  const { policies, comparisons, tasks } = report;
  const against = policies[0]!.label;
  const name = nameIn(report);
  const parts = [
    "## Success",
    markdownTable(
      ["policy", "successes", "rate", "95 % interval", "mean length", "initial states"],
      "lrrrrr",
      policies.map((row) => [row.label, ...rateCells(row), count(row.states)]),
    ),
    `Intervals: ${
      methods(policies.map((row) => [row.label, row.interval.method]))
    }. Mean length in control steps, over all episodes.`,
  ];
  if (comparisons.length > 0) {
    const tests = comparisons.flatMap((row) => row.test ? [[name(row), row.test.method] as const] : []);
    parts.push(
      `## Uplift over ${against}`,
      markdownTable(
        ["policy", "points", "95 % interval", "won / lost", "p", "p (Holm)", "McNemar p", "pairs"],
        "lrrrrrrr",
        comparisons.map((
          row,
        ) => [name(row), ...upliftCells(row), pValue(row.mcnemar?.p ?? null), count(row.pairs)]),
      ),
      `Intervals: ${methods(comparisons.map((row) => [name(row), row.interval.method]))}.` +
        (tests.length > 0
          ? ` p: ${
            methods(tests)
          }, two-sided; McNemar p: exact, takes all pairs as independent; Holm over ${tests.length} ${
            tests.length === 1 ? "comparison" : "comparisons"
          }.`
          : "") +
        " Pairs share task, initial state and noise seed.",
      ...open(report),
    );
  }
  if (tasks.length > 1) parts.push("## By task", ...tasks.map((task) => taskTable(report, task)), TASK_NOTE);
  return parts;
}

const TASK_NOTE =
  "Uplift, p and its adjustment (Holm over the tasks of a comparison) as above, within the task.";

function taskTable(report: Report, task: string): string {
  const { policies, comparisons } = report;
  const against = policies[0]!.label;
  const rows = policies.flatMap((policy) => {
    const rate = policy.tasks.find((each) => each.task === task);
    if (!rate) return [];
    const row = comparisons.find((row) => row.label === policy.label && row.against === against);
    const compared = row?.tasks.find((each) => each.task === task);
    return [[policy.label, ...rateCells(rate), ...(compared ? upliftCells(compared) : Array(5).fill(""))]];
  });
  for (const row of comparisons.filter((row) => row.against !== against)) {
    const compared = row.tasks.find((each) => each.task === task);
    if (compared) rows.push([nameIn(report)(row), ...Array(4).fill(""), ...upliftCells(compared)]);
  }
  const head = [
    "policy",
    "successes",
    "rate",
    "95 % interval",
    "mean length",
    "uplift",
    "95 % interval",
    "won / lost",
    "p",
    "p (Holm)",
  ];
  return `### ${task}\n\n${markdownTable(head, "lrrrrrrrrr", rows)}`;
}

function stageCells({ name, state, seconds, budget }: StageRow): string[] {
  return [name, state, duration(seconds), count(budget.environmentSteps), count(budget.gradientSteps)];
}

function budgetRows({ stages, budget }: Report): string[][] {
  const sum = (name: string, { seconds, environmentSteps, gradientSteps }: Report["budget"]["total"]) => [
    name,
    "",
    duration(seconds),
    count(environmentSteps),
    count(gradientSteps),
  ];
  return [...stages.map(stageCells), sum("total", budget.total), sum("of it now", budget.now)];
}

/** Which states the lines of the learning curves are measured on. */
const curveNote = ({ policies }: Report) =>
  `Curves: success on training states, with exploration, while learning. Dashed line: success of ${
    policies[0]!.label
  } on held-out initial states, as in the tables above; the two are not the same measurement.`;

function groupsSection({ groups = [], guidance = [], weighting = [] }: Report): string[] {
  const { head, align, cells, note } = groupsTable;
  const choice = guidanceTable(guidance), weights = weightingTable(weighting);
  return [
    ...(groups.length > 0 ? ["## Groups", markdownTable(head, align, groups.map(cells)), note] : []),
    ...(guidance.length > 0
      ? ["## Guidance", markdownTable(choice.head, choice.align, choice.rows), guidanceNote]
      : []),
    ...(weighting.length > 0
      ? ["## Weights", markdownTable(weights.head, weights.align, weights.rows), weightingNote]
      : []),
  ];
}

function methodsSection(report: Report): string[] {
  const { methods = [] } = report;
  if (methods.length === 0) return [];
  const { head, align } = methodsTable;
  return [
    "## Methods",
    "![methods over environment steps](methods_over_environment_steps.svg)",
    markdownTable(head, align, methodsRows(methods, report)),
    methodsNote,
  ];
}

/** The report as Markdown; `figures` are names of SVG files beside it, without ".svg". */
export function markdownReport(report: Report, figures: readonly string[]): string {
  const {
    experiment,
    version,
    summary,
    seed,
    result,
    overrides,
    notes,
    hyperparameters,
    worlds = [],
    warnings = [],
  } = report;
  const figure = (name: string) =>
    figures.includes(name) ? [`![${name.replaceAll("_", " ")}](${name}.svg)`] : [];
  const curves = figures.filter((name) => name.startsWith("success_over_"));
  return [
    `# ${experiment}`,
    summary,
    `Version ${version}, seed ${seed}, result \`${result}\`.`,
    ...worlds.map((world) => `${world}.`),
    ...headline(report),
    ...warnings.map((warning) => `> ${warning}`),
    ...figure("success"),
    ...successSection(report),
    ...figure("success_by_task"),
    ...(curves.length > 0 ? ["## Learning", ...curves.flatMap(figure), curveNote(report)] : []),
    ...methodsSection(report),
    ...groupsSection(report),
    "## Budget",
    markdownTable(
      ["stage", "state", "time", "environment steps", "gradient steps"],
      "llrrr",
      budgetRows(report),
    ),
    "Time is the sum over stages, which may have run side by side; a stage found in the store (hit) shows what it cost when it ran.",
    ...(overrides.length > 0
      ? [
        "## Overrides",
        markdownTable(
          ["path", "value", "reason"],
          "lll",
          overrides.map((
            { path, value, reason, from },
          ) => [`\`${path}\``, `\`${JSON.stringify(value)}\``, reason ?? (from ? `set by ${from}` : "")]),
        ),
      ]
      : []),
    ...(notes.length > 0 ? ["## Notes", notes.map((note) => `- ${note}`).join("\n")] : []),
    "## Hyperparameters",
    "```json\n" + JSON.stringify(hyperparameters, null, 2) + "\n```",
  ].join("\n\n") + "\n";
}

/** The report in a terminal: success and uplift by policy, cost by stage. */
export function consoleReport(report: Report): string {
  const { experiment, version, seed, result, policies, comparisons, worlds = [] } = report;
  const against = policies[0]!.label;
  const uplift = (row: ComparisonRow | undefined) =>
    row ? [points(row.interval.estimate), pointBounds(row.interval), pValue(row.holm)] : ["", "", ""];
  const success = [
    ...policies.map((policy) => {
      const row = comparisons.find((each) => each.label === policy.label && each.against === against);
      return [policy.label, ...rateCells(policy), ...uplift(row)];
    }),
    ...comparisons.filter((row) => row.against !== against)
      .map((row) => [nameIn(report)(row), ...Array(4).fill(""), ...uplift(row)]),
  ];
  return [
    [`${experiment} v${version}, seed ${seed}, result ${result.slice(0, 12)}`, ...worlds].join("\n"),
    alignedTable(
      ["policy", "success", "rate", "95 %", "length", "uplift", "95 %", "p (Holm)"],
      "lrrrrrrr",
      success,
    ),
    ...open(report),
    ...(report.warnings ?? []),
    ...(report.methods
      ? [alignedTable(methodsTable.head, methodsTable.align, methodsRows(report.methods, report))]
      : []),
    alignedTable(
      ["stage", "state", "time", "environment steps", "gradient steps"],
      "llrrr",
      budgetRows(report),
    ),
  ].join("\n\n") + "\n";
}
