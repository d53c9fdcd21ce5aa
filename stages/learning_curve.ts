/** The learning curve of an online phase: a line for each evaluation. */

/** One line of the learning curve. */
export type CurveRow = Readonly<Record<string, number>>;

/** Rows of a learning curve as table columns; a metric that a row lacks is NaN. */
export function curveColumns(curve: readonly CurveRow[]): Record<string, Float64Array> {
  const names = [...new Set(curve.flatMap((row) => Object.keys(row)))];
  return Object.fromEntries(
    names.map((name) => [name, Float64Array.from(curve, (row) => row[name] ?? NaN)]),
  );
}
