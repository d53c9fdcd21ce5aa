// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** Hyperparameters beside the method's own values: what was changed first, with who did it and why; then all. */
import type { Json } from "../../lab/canonical.ts";
import { valueAt } from "../../lab/overrides.ts";
import type { Plan } from "../../lab/plan.ts";
import { Table, Value } from "./layout.tsx";

/** A hyperparameter of a plan. */
export interface HyperparameterRow {
  /** Dotted path. */
  readonly path: string;
  /** The value in use. */
  readonly value: Json | undefined;
  /** The method's own; undefined where it is not known. */
  readonly own: Json | undefined;
  /** Who set it last; undefined where nobody did. */
  readonly from: string | undefined;
  /** Why. */
  readonly reason: string;
  /** Words for the values it takes. */
  readonly allowed: string;
  /** What it is. */
  readonly description: string;
}

/** All hyperparameters of a plan, in the schema's order; of older plans those that were set. */
export function hyperparameterRows({ parameters, settings, hyperparameters }: Plan): HyperparameterRow[] {
  const declared = parameters ?? [...new Set(settings.map(({ path }) => path))]
    .map((path) => ({ path, allowed: "", description: "" }));
  return declared.map((parameter) => {
    const { path, allowed, description } = parameter;
    const setting = settings.findLast((each) => each.path === path);
    return {
      path,
      value: valueAt(hyperparameters, path),
      own: "default" in parameter ? parameter.default : undefined,
      from: setting && (setting.from === "preset" ? `preset ${setting.reason ?? ""}` : setting.from),
      reason: setting?.from === "preset" ? "" : setting?.reason ?? "",
      allowed,
      description,
    };
  });
}

/** The section. */
export function Hyperparameters({ plan }: { plan: Plan }) {
  const rows = hyperparameterRows(plan);
  const changed = rows.filter(({ from }) => from !== undefined);
  return (
    <section aria-labelledby="hyperparameters">
      <h2 id="hyperparameters">Hyperparameters</h2>
      {changed.length === 0 ? <p class="quiet">All at the method's own values.</p> : (
        <Table
          caption={`Changed: ${changed.length}`}
          head={["Path", "Value", "Method's own", "Set by", "Because"]}
          align="lrrll"
          rows={changed.map(({ path, value, own, from, reason }) => [
            <code>{path}</code>,
            <Value value={value} />,
            <Value value={own} />,
            from,
            reason,
          ])}
        />
      )}
      {plan.parameters
        ? (
          <details>
            <summary>{`All ${rows.length}, with allowed values and meaning`}</summary>
            <Table
              head={["Path", "Value", "Method's own", "Allowed", "Meaning"]}
              align="lrrll"
              rows={rows.map(({ path, value, own, from, allowed, description }) => [
                <code>{path}</code>,
                from === undefined ? <Value value={value} /> : (
                  <b>
                    <Value value={value} />
                  </b>
                ),
                <Value value={own} />,
                allowed,
                description,
              ])}
            />
          </details>
        )
        : (
          <details>
            <summary>All, as JSON</summary>
            <pre tabindex={0}>{JSON.stringify(plan.hyperparameters, null, 2)}</pre>
          </details>
        )}
    </section>
  );
}
