/** `exp show NAME --parameters`: every hyperparameter, its value, where that comes from, and what it is. */
import type { Json } from "../lab/canonical.ts";
import type { Plan } from "../lab/plan.ts";
import { table } from "./table.ts";

/** A hyperparameter of a plan. */
export interface ParameterRow {
  readonly path: string;
  readonly value: Json;
  /** "default", or who set it and why. */
  readonly from: string;
  readonly allowed: string;
  readonly description: string;
}

/** All hyperparameters of a plan, in the schema's order. */
export function parameterRows({ parameters = [], settings, hyperparameters }: Plan): ParameterRow[] {
  const valueAt = (path: string) =>
    path.split(".").reduce((at, name) => (at as Record<string, Json>)[name]!, hyperparameters);
  return parameters.map(({ path, allowed, description }) => {
    const setting = settings.findLast((each) => each.path === path);
    const reason = setting?.reason === undefined ? "" : `: ${setting.reason}`;
    const from = setting ? `${setting.from}${reason}` : "default";
    return { path, value: valueAt(path), from, allowed, description };
  });
}

/** The rows as a table for the terminal; reasons come last, since they are long and few. */
export function parameterTable(rows: readonly ParameterRow[]): string {
  const cells = rows.map(({ path, value, from, allowed, description }) => {
    return [path, JSON.stringify(value), allowed, description, from];
  });
  return table(["parameter", "value", "allowed", "what it is", "from"], cells);
}
