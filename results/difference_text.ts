/** A difference of two runs as text: for the terminal, and as Markdown for a pull request. */
import { type Difference, isSame, type MetricDifference, type StoredDifference } from "./difference.ts";
import { percent, percentBounds, pointBounds, points, pValue } from "./format.ts";
import type { GraphDifference, ValueDifference } from "./graph_difference.ts";
import type { OutputDetail, Value } from "./output_difference.ts";
import { alignedTable, markdownTable } from "./report_text.ts";
import type { CodeDifference, NamedDifference } from "./code_difference.ts";

/** One thing that differs, what differs in it, and the hunks of its text. */
export interface Line {
  /** What differs. */
  readonly text: string;
  /** What differs in it, one line each. */
  readonly details?: readonly string[];
  /** A unified diff of its text. */
  readonly hunks?: string;
}

/** A level at which the runs differ. */
export interface Section {
  /** Name of the level. */
  readonly title: string;
  /** What differs in it. */
  readonly lines: readonly Line[];
  /** Success of both sides, a cell for each of METRICS. */
  readonly rows?: readonly (readonly string[])[];
}

const SHOWN = 5;
/** Heads of the columns of `rows`. */
export const METRICS = ["evaluation", "a", "", "b", "", "b - a", "95 %", "p", "p (Holm)"];
const ALIGN = "lrlrlrlrr";

/** Text for the terminal, without a line end. */
export function consoleDifference(difference: Difference): string {
  const blocks = sections(difference).map(({ title, lines, rows }) =>
    [
      title,
      ...lines.flatMap(({ text, details = [], hunks }) => [
        `  ${text}`,
        ...details.map((each) => `    ${each}`),
        ...(hunks ? [indent(hunks, "    ")] : []),
      ]),
      ...(rows ? [indent(alignedTable(METRICS, ALIGN, rows), "  ")] : []),
    ].join("\n")
  );
  return [heads(difference).join("\n"), ...blocks, ...closing(difference)].join("\n\n");
}

/** Markdown, with a line end. */
export function markdownDifference(difference: Difference): string {
  const [a, b] = heads(difference);
  const blocks = sections(difference).map(({ title, lines, rows }) => {
    const listed = lines.map(({ text, details = [], hunks }) =>
      [
        `- ${escaped(text)}`,
        ...details.map((each) => `  - ${escaped(each)}`),
        ...(hunks ? [`\n${indent(fenced(hunks), "  ")}\n`] : []),
      ].join("\n")
    );
    return [`## ${title}`, listed.join("\n").trimEnd(), rows ? markdownTable(METRICS, ALIGN, rows) : ""]
      .filter((part) => part !== "").join("\n\n");
  });
  const [first, second] = [difference.a.label, difference.b.label].map((label) =>
    label.replace(/^[0-9a-f]{12,}(?=@|$)/, short)
  );
  const title = `# ${first} and ${second}`;
  return [title, `- ${a}\n- ${b}`, ...blocks, ...closing(difference)].join("\n\n") + "\n";
}

const indent = (text: string, by: string) => text.replace(/^(?=.)/gm, by);

/** Text in which nothing is markup. */
const escaped = (text: string) => text.replace(/[\\`*<|]|(?<!\w)_|_(?!\w)|\](?=[(\[])/g, "\\$&");

/** A fence longer than any in the text. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}diff\n${text}\n${fence}`;
}

function heads({ a, b }: Difference): string[] {
  return ([["a", a], ["b", b]] as const).map(([name, { experiment, version, seed, definition, result }]) =>
    `${name}: ${experiment} version ${version}, seed ${seed}, definition ${short(definition)}, ` +
    (result === null ? "not complete" : `result ${short(result)}`)
  );
}

function closing(difference: Difference): string[] {
  const { outputs: { different, equal, missing } } = difference;
  if (!isSame(difference)) return [];
  return [
    `No difference: ${equal} outputs are equal${
      different.length + missing.length > 0 ? "" : " in every byte"
    }`,
  ];
}

/** The levels at which the runs differ, with what differs in each. */
export function sections(difference: Difference): Section[] {
  const { hyperparameters, code, graph, outputs: { different, equal, missing }, metrics } = difference;
  const all: Section[] = [
    { title: "Hyperparameters", lines: hyperparameters.map((each) => ({ text: valueLine(each) })) },
    { title: "Code", lines: codeLines(code) },
    { title: "Graph", lines: graphLines(graph) },
    {
      title: `Outputs: ${different.length} differ, ${equal} equal`,
      lines: [
        ...different.map((each) => outputLine(each, different.some(({ origin }) => !origin))),
        ...missing.map(({ stage, sides }) => ({ text: `${stage}: not made in ${sides.join(" and ")}` })),
      ],
    },
    { title: "Metrics", lines: [], rows: metrics.flatMap(metricRows) },
  ];
  return all.filter(({ lines, rows = [] }) => lines.length + rows.length > 0);
}

const short = (hash: string) => hash.replace(/^sha256:/, "").slice(0, 12);
const json = (value: Value) => value === undefined ? "absent" : JSON.stringify(value);
const change = (a: Value, b: Value) => `${json(a)} -> ${json(b)}`;
const valueLine = (each: ValueDifference) => `${each.path}: ${change(each.a, each.b)}`;

function codeLines({ modules, packages, runtime }: CodeDifference): Line[] {
  const of = (stages: readonly string[]) => stages.length === 0 ? "" : ` (${some(stages)})`;
  const named = (what: string, { name, a, b, stages }: NamedDifference) => ({
    text: `${what} ${name}: ${a === null ? "absent" : short(a)} -> ${b === null ? "absent" : short(b)}${
      of(stages)
    }`,
  });
  return [
    ...modules.map(({ path, change, stages, text, unavailable }): Line => {
      const without = unavailable.length > 0 ? `; its text is not kept for ${unavailable.join(" and ")}` : "";
      return { text: `${path} ${change}${of(stages)}${without}`, ...(text ? { hunks: text } : {}) };
    }),
    ...packages.map((each) => named("package", each)),
    ...runtime.map((each) => named("runtime", each)),
  ];
}

function graphLines({ added, removed, rewired, parameters }: GraphDifference): Line[] {
  return [
    ...added.map(({ name, entry }) => ({ text: `${name} added (${entry})` })),
    ...removed.map(({ name, entry }) => ({ text: `${name} removed (${entry})` })),
    ...rewired.map(({ stage, role, a, b }) => ({
      text: `${stage} ${role}: ${a || "nothing"} -> ${b || "nothing"}`,
    })),
    ...parameters.map((each) => ({ text: `${each.stage} parameter ${valueLine(each)}` })),
  ];
}

/** Where results part is worth saying only where some outputs differ because their inputs did. */
function outputLine({ stage, output, a, b, origin, detail }: StoredDifference, mixed: boolean): Line {
  const lines = detailLines(detail);
  const rest = lines.length - SHOWN;
  return {
    text: `${stage}/${output}: ${short(a.digest)} -> ${short(b.digest)}${
      origin && mixed ? ", from equal inputs" : ""
    }`,
    details: [...lines.slice(0, SHOWN), ...(rest > 0 ? [`and ${rest} more`] : [])],
  };
}

function detailLines(detail: OutputDetail): string[] {
  if (detail.form === "bytes") {
    const { at, bytes: [a, b], reason } = detail;
    return [`${a} and ${b} bytes, the first difference at byte ${at}${reason ? `; ${reason}` : ""}`];
  }
  if (detail.form === "document") {
    const { paths, count } = detail;
    const head = count > SHOWN ? [`${count} values differ`] : [];
    return [...head, ...paths.map((each) => `${each.path}: ${change(each.a, each.b)}`)]
      .slice(0, SHOWN);
  }
  const lone = [
    ...detail.only.a.map((name) => `"${name}" is only in a`),
    ...detail.only.b.map((name) => `"${name}" is only in b`),
  ];
  if (detail.form === "table") {
    const { rows: [a, b], columns } = detail;
    const lines = [
      ...(a === b ? [] : [`${a} and ${b} rows`]),
      ...lone,
      ...columns.map(({ name, rows, first }) => {
        if (!first) return `column "${name}": types differ`;
        const place = first.at === undefined ? "" : ` at [${first.at}]`;
        return `column "${name}": ${rows} of ${Math.min(a, b)} rows, first row ${first.row}${place}: ` +
          change(first.a, first.b);
      }),
    ];
    return lines.length > 0 ? lines : ["other bytes, equal values"];
  }
  const { norm, relative, tensors } = detail;
  if (lone.length + tensors.length === 0) return ["other bytes, equal values"];
  const size = (norm: number, relative: number | null) =>
    `norm of the difference ${norm.toPrecision(3)}` +
    (relative === null ? "" : `, ${relative.toPrecision(3)} of its size`);
  return [
    `${tensors.length} tensors differ, ${size(norm, relative)}`,
    ...lone,
    ...tensors.map(({ name, shape, norm, relative }) =>
      norm === null ? `"${name}": ${shape}` : `"${name}" [${shape}]: ${size(norm, relative)}`
    ),
  ];
}

function metricRows({ label, a, b, difference, holm, tasks }: MetricDifference): string[][] {
  const row = (name: string, { a, b, difference }: Pick<MetricDifference, "a" | "b" | "difference">) => [
    name,
    percent(a.interval.estimate),
    percentBounds(a.interval),
    percent(b.interval.estimate),
    percentBounds(b.interval),
    points(difference.interval.estimate),
    pointBounds(difference.interval),
    pValue(difference.test?.p ?? null),
  ];
  return [
    [...row(label, { a, b, difference }), pValue(holm)],
    ...tasks.map(({ task, ...rest }) => [...row(`  ${task}`, rest), "-"]),
  ];
}

function some(names: readonly string[]): string {
  if (names.length <= 4) return names.join(", ");
  return `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}
