/** The report's figures as SVG text: success rates with intervals, and learning curves. */
import type { Interval } from "./statistics.ts";
import { chart, colour, escape, fit, ink, line, px, text, textWidth, ticks } from "./svg.ts";

/** One row of a forest plot. `colour` numbers the policies, so that one keeps its colour across groups. */
export interface ForestRow {
  /** Name at the left. */
  readonly label: string;
  /** Success rate, 0 ... 1. */
  readonly interval: Interval;
  /** Short text at the right, such as "45/50". */
  readonly count: string;
  /** Number of the policy. */
  readonly colour: number;
}

/** Rows under a heading, e.g. the policies on one task. */
export interface ForestGroup {
  /** Text above the rows. */
  readonly heading?: string;
  /** Top to bottom. */
  readonly rows: readonly ForestRow[];
}

const WIDTH = 760;
const ROW = 26;
const HEADING = 30;

/** Success rates with their intervals: a bar to the estimate, whiskers to the bounds, numbers beside them. */
export function forest(options: {
  readonly title: string;
  readonly subtitle: string;
  readonly groups: readonly ForestGroup[];
}): string {
  const { title, subtitle, groups } = options;
  const rows = groups.flatMap((group) => group.rows);
  const labelWidth = Math.min(230, Math.max(60, ...rows.map((row) => textWidth(row.label, 12))));
  const countWidth = Math.max(40, ...rows.map((row) => textWidth(row.count, 12)));
  const left = 24 + labelWidth + 12;
  const right = WIDTH - 24 - 130 - countWidth - 14;
  const x = (rate: number) => left + rate * (right - left);
  const top = 66;
  const parts = [
    text(24, 30, fit(title, 16, WIDTH - 48), { size: 16, weight: 600 }),
    text(24, 49, fit(subtitle, 12, WIDTH - 48), { fill: ink.quiet }),
  ];
  const height = groups.reduce((sum, g) => sum + (g.heading ? HEADING : 8) + g.rows.length * ROW, 0);
  const bottom = top + height + 6;
  for (const rate of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(line(x(rate), top, x(rate), bottom, ink.grid));
    parts.push(
      text(x(rate), bottom + 16, `${100 * rate} %`, { size: 11, anchor: "middle", fill: ink.quiet }),
    );
  }
  let y = top;
  for (const { heading, rows } of groups) {
    if (heading) {
      // On the background's colour, since grid lines run below.
      parts.push(
        `<rect x="24" y="${px(y + 3)}" width="${px(WIDTH - 48)}" height="${
          HEADING - 6
        }" fill="${ink.background}"/>`,
      );
      parts.push(text(24, y + 20, fit(heading, 12, WIDTH - 48), { weight: 600 }));
    }
    y += heading ? HEADING : 8;
    for (const row of rows) {
      parts.push(forestRow(row, y + ROW / 2, x, labelWidth, countWidth));
      y += ROW;
    }
  }
  const description = groups.map(({ heading, rows }) =>
    (heading ? `${heading}: ` : "") +
    rows.map(({ label, interval: { estimate, low, high }, count }) =>
      `${label} ${count}, ${(100 * estimate).toFixed(1)} % [${(100 * low).toFixed(1)}, ${
        (100 * high).toFixed(1)
      }]`
    ).join("; ")
  ).join(". ");
  return chart(WIDTH, bottom + 32, title, description, parts);
}

function forestRow(
  row: ForestRow,
  y: number,
  x: (rate: number) => number,
  labelWidth: number,
  countWidth: number,
): string {
  const { estimate, low, high } = row.interval;
  const fill = colour(row.colour);
  const bounds = `[${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
  const [a, b] = [x(low), x(high)];
  return [
    "<g>",
    `<title>${escape(`${row.label}: ${row.count}, ${row.interval.method}, n = ${row.interval.n}`)}</title>`,
    text(24 + labelWidth, y + 4, fit(row.label, 12, labelWidth + 1), { anchor: "end" }),
    `<rect x="${px(x(0))}" y="${px(y - 7)}" width="${
      px(x(estimate) - x(0))
    }" height="14" rx="2" fill="${fill}" fill-opacity="0.28"/>`,
    line(a, y, b, y, fill, 2),
    line(a, y - 5, a, y + 5, fill, 2),
    line(b, y - 5, b, y + 5, fill, 2),
    `<circle cx="${px(x(estimate))}" cy="${px(y)}" r="4" fill="${fill}" stroke="${ink.background}"/>`,
    text(x(1) + 14 + countWidth, y + 4, row.count, { anchor: "end", fill: ink.quiet }),
    text(x(1) + 14 + countWidth + 60, y + 4, `${(100 * estimate).toFixed(1)} %`, {
      anchor: "end",
      weight: 600,
    }),
    text(WIDTH - 14, y + 4, bounds, { size: 10, anchor: "end", fill: ink.quiet }),
    "</g>",
  ].join("");
}

/** One line of a learning curve. */
export interface Curve {
  /** Name in the legend. */
  readonly label: string;
  /** Steps, ascending. */
  readonly x: ArrayLike<number>;
  /** Success rate 0 ... 1; a number that is not finite leaves a gap. */
  readonly y: ArrayLike<number>;
  /** Bounds of the band around y, as long as y. */
  readonly band?: { readonly low: ArrayLike<number>; readonly high: ArrayLike<number> };
  /** What came of it, measured otherwise: a dot with whiskers at `x`. */
  readonly end?: { readonly x: number; readonly interval: Interval };
  /** Number of the policy. */
  readonly colour: number;
}

/** Success over steps, with an optional dashed line to compare with. */
export function learningCurves(options: {
  readonly title: string;
  readonly xLabel: string;
  readonly curves: readonly Curve[];
  readonly reference?: { readonly label: string; readonly rate: number };
}): string {
  const { title, xLabel, curves, reference } = options;
  const [left, right, bottomMargin] = [62, WIDTH - 28, 50];
  const legend = legendRows([
    ...curves.map((c) => ({ label: c.label, colour: colour(c.colour), dash: false })),
    ...(reference ? [{ label: reference.label, colour: palette0, dash: true }] : []),
  ]);
  const top = 50 + legend.height + 8;
  const bottom = top + 250;
  const xTicks = ticks(
    Math.max(0, ...curves.map((c) => Math.max(c.x[c.x.length - 1] ?? 0, c.end?.x ?? 0))),
    6,
  );
  const x = (step: number) => left + step / xTicks.at(-1)! * (right - left);
  const y = (rate: number) => bottom - rate * (bottom - top);
  const parts = [text(24, 30, fit(title, 16, WIDTH - 48), { size: 16, weight: 600 }), ...legend.parts];
  for (const rate of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(line(left, y(rate), right, y(rate), ink.grid));
    parts.push(text(left - 8, y(rate) + 4, `${100 * rate} %`, { size: 11, anchor: "end", fill: ink.quiet }));
  }
  for (const step of xTicks) {
    parts.push(line(x(step), bottom, x(step), bottom + 4, ink.border));
    parts.push(text(x(step), bottom + 18, steps(step), { size: 11, anchor: "middle", fill: ink.quiet }));
  }
  parts.push(text((left + right) / 2, bottom + 38, xLabel, { anchor: "middle", fill: ink.quiet }));
  if (reference) {
    parts.push(
      line(left, y(reference.rate), right, y(reference.rate), palette0, 1.5, ` stroke-dasharray="6 4"`),
    );
  }
  for (const curve of curves) parts.push(curveParts(curve, x, y));
  const description = [
    ...curves.map((curve) => {
      const last = finiteRuns(curve.y).at(-1)?.at(-1);
      if (last === undefined) return `${curve.label}: not measured`;
      return `${curve.label}: ${(100 * curve.y[last]!).toFixed(1)} % after ${steps(curve.x[last]!)}` +
        (curve.end ? `, in the end ${(100 * curve.end.interval.estimate).toFixed(1)} %` : "");
    }),
    ...(reference ? [`${reference.label}: ${(100 * reference.rate).toFixed(1)} %`] : []),
  ].join("; ");
  return chart(WIDTH, bottom + bottomMargin, title, description, parts);
}

const palette0 = colour(0);

/** 12500 → "12.5k", 2000000 → "2M". */
function steps(n: number): string {
  const short = (x: number) => String(Math.round(x * 100) / 100);
  return n >= 1e6 ? `${short(n / 1e6)}M` : n >= 1000 ? `${short(n / 1000)}k` : short(n);
}

function curveParts(curve: Curve, x: (step: number) => number, y: (rate: number) => number): string {
  const stroke = colour(curve.colour);
  const at = (i: number, rate: ArrayLike<number>) => `${px(x(curve.x[i]!))},${px(y(rate[i]!))}`;
  const parts: string[] = [];
  for (const run of finiteRuns(curve.y)) {
    if (curve.band && run.length > 1) {
      const outline = [
        ...run.map((i) => at(i, curve.band!.high)),
        ...run.toReversed().map((i) => at(i, curve.band!.low)),
      ];
      parts.push(`<polygon points="${outline.join(" ")}" fill="${stroke}" fill-opacity="0.14"/>`);
    }
    const points = run.map((i) => at(i, curve.y)).join(" ");
    parts.push(
      `<polyline points="${points}" fill="none" stroke="${stroke}" stroke-width="2" stroke-linejoin="round"/>`,
    );
    // Marks help while they can be told apart.
    if (curve.y.length <= 40) {
      for (const i of run) {
        parts.push(
          `<circle cx="${px(x(curve.x[i]!))}" cy="${px(y(curve.y[i]!))}" r="2.5" fill="${stroke}"/>`,
        );
      }
    }
  }
  if (curve.end) {
    const { x: step, interval: { estimate, low, high } } = curve.end, at = x(step);
    parts.push(line(at, y(low), at, y(high), stroke, 2));
    for (const bound of [low, high]) parts.push(line(at - 4, y(bound), at + 4, y(bound), stroke, 2));
    parts.push(
      `<circle cx="${px(at)}" cy="${px(y(estimate))}" r="5" fill="${stroke}" stroke="${ink.background}"/>`,
    );
  }
  return `<g><title>${escape(curve.label)}</title>${parts.join("")}</g>`;
}

/** Indices of the stretches between numbers that are not finite. */
function finiteRuns(values: ArrayLike<number>): number[][] {
  const runs: number[][] = [[]];
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) runs.at(-1)!.push(i);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

function legendRows(
  entries: readonly { label: string; colour: string; dash: boolean }[],
): { parts: string[]; height: number } {
  const parts: string[] = [];
  let [x, y] = [24, 52];
  for (const { label, colour, dash } of entries) {
    const shown = fit(label, 12, 300);
    const width = 26 + textWidth(shown, 12) + 20;
    if (x > 24 && x + width > WIDTH - 24) [x, y] = [24, y + 20];
    parts.push(line(x, y, x + 18, y, colour, 2.5, dash ? ` stroke-dasharray="6 4"` : ""));
    parts.push(text(x + 26, y + 4, shown));
    x += width;
  }
  return { parts, height: y - 52 + 16 };
}
