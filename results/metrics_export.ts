/** Metrics of finished runs in the forms other tools read: CSV and JSON by step as W&B gives them, TensorBoard events. */
import type { Json } from "../lab/canonical.ts";
import type { Subject } from "../lab/subject.ts";
import type { Store } from "../lab/store.ts";
import { decodeTable } from "../data/table.ts";
import { decodeEvaluation, rate } from "./evaluation.ts";
import { encodeEvents, type Scalar } from "./tensorboard.ts";

/** Numbers by step: the first column counts, e.g. environment steps. */
interface History {
  /** "stage.output" of the table. */
  readonly name: string;
  /** Name of the first column. */
  readonly unit: string;
  /** Steps. */
  readonly steps: readonly number[];
  /** Other columns of numbers; NaN where nothing was measured. */
  readonly columns: readonly (readonly [name: string, values: readonly number[]])[];
  /** When its stage ended, ISO 8601. */
  readonly created: string;
}

/**
 * The files of a metrics export by path: `RUN/TABLE.csv`, `RUN/TABLE/events.out.tfevents...`, and `metrics.json` with
 * the configuration, the summary and the history of every run. Equal runs give equal bytes.
 *
 * @throws {StoreError} when an object is missing or damaged
 */
export function metricsFiles(subjects: readonly Subject[], store: Store): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const encode = (text: string) => new TextEncoder().encode(text);
  const runs = subjects.map((subject) => {
    const { plan, result } = subject;
    const run = `${plan.experiment}-${plan.definition.slice(0, 12)}-seed${plan.seed}`;
    const all = histories(subject, store);
    for (const history of all) {
      files.set(`${run}/${history.name}.csv`, encode(csv(history)));
      const seconds = Math.floor(Date.parse(history.created) / 1000);
      const file = `${run}/${history.name}/events.out.tfevents.${seconds}.uplift`;
      files.set(file, encodeEvents(scalars(history), seconds));
    }
    const { experiment, version, seed, definition, hyperparameters } = plan;
    return {
      run,
      experiment,
      version,
      seed,
      definition,
      result,
      config: hyperparameters,
      summary: summary(subject, store),
      history: Object.fromEntries(all.map((history) => [history.name, rows(history)])),
    };
  });
  files.set("metrics.json", encode(JSON.stringify({ runs }, null, 2) + "\n"));
  return files;
}

function histories({ stages }: Subject, store: Store): History[] {
  return stages.flatMap(({ stage, outcome }) =>
    Object.entries(stage.outputs).filter(([, kind]) => kind === "metrics").flatMap(([output]) => {
      const stored = outcome?.outputs[output];
      if (!outcome || !stored) return [];
      const [first, ...others] = Object.entries(decodeTable(store.objects.read(stored.digest)));
      if (!first || Array.isArray(first[1])) return [];
      const columns = others.flatMap(([name, values]) =>
        Array.isArray(values) ? [] : [[name, Array.from(values as Float64Array)] as const]
      );
      const steps = Array.from(first[1] as Float64Array);
      return [{ name: `${stage.name}.${output}`, unit: first[0], steps, columns, created: outcome.created }];
    })
  );
}

/** Success of each evaluation with its interval and n. */
function summary({ plan, stages }: Subject, store: Store): Json {
  return Object.fromEntries(
    Object.entries(plan.evaluations).flatMap(([label, { stage, output }]) => {
      const stored = stages.find((each) => each.stage.name === stage)?.outcome?.outputs[output];
      if (!stored) return [];
      const { successes, episodes, interval } = rate(
        decodeEvaluation(store.objects.read(stored.digest), label),
      );
      const { estimate, low, high } = interval;
      return [[`success/${label}`, { value: estimate, low, high, successes, episodes }]];
    }),
  );
}

const measured = (value: number) => Number.isFinite(value);

function rows({ steps, columns, unit }: History): Json {
  return steps.map((step, i) => ({
    _step: step,
    [unit]: step,
    ...Object.fromEntries(
      columns.flatMap(([name, values]) => measured(values[i]!) ? [[name, values[i]!]] : []),
    ),
  }));
}

function csv({ steps, columns, unit }: History): string {
  const quoted = (text: string) => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const head = ["_step", unit, ...columns.map(([name]) => name)].map(quoted);
  const lines = steps.map((step, i) =>
    [step, step, ...columns.map(([, values]) => measured(values[i]!) ? values[i] : "")].join(",")
  );
  return [head.join(","), ...lines].join("\n") + "\n";
}

function scalars({ steps, columns }: History): Scalar[] {
  return steps.flatMap((step, i) =>
    columns.flatMap(([tag, values]) =>
      measured(values[i]!) ? [{ tag, step: Math.round(step), value: values[i]! }] : []
    )
  );
}
