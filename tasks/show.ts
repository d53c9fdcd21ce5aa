/** `exp show`: the plan of an experiment or of a stored run, its stages, outputs and success table. */
import { UsageError } from "../lab/errors.ts";
import type { Request } from "../lab/overrides.ts";
import type { Plan } from "../lab/plan.ts";
import { asRun, type StageStatus, status, statusOfRun, summarize } from "../lab/status.ts";
import type { Store } from "../lab/store.ts";
import { duration } from "./progress.ts";
import { parameterRows, parameterTable } from "./parameters.ts";
import { type ReportedSeed, reportOn, reportOnSeeds } from "./report.ts";
import { oneRequest, type RequestOptions, requests, type Session } from "./session.ts";
import { short, size, table } from "./table.ts";

/** Options of `show` alone. */
export interface ShowOptions extends RequestOptions {
  readonly parameters?: true | undefined;
}

/** Shows an experiment by name, or a run by the head of its definition, result or one of its keys. */
export async function showCommand(
  subject: string,
  options: ShowOptions,
  session: Session,
): Promise<number> {
  const { store, json } = session;
  const asked = await requests(options);
  if (asked.length > 1 && !options.parameters) return showSeeds(subject, asked, session);
  const { plan, stages } = await find(subject, await oneRequest(options), session);
  if (options.parameters) {
    const rows = parameterRows(plan);
    console.log(json ? JSON.stringify({ parameters: rows }, null, 2) : parameterTable(rows));
    return 0;
  }
  const run = asRun(stages);
  const reported = run && await reportOn(plan, run.stages, run.result, store);
  const report = reported?.report;
  const code = reported?.failure ? 1 : 0;
  if (reported?.failure) console.error(reported.failure);
  const { experiment, version, seed, seeds, definition, summary, hyperparameters, settings } = plan;
  const state = summarize(stages);
  if (json) {
    const listed = stages.map(({ stage, key, outcome }) => {
      const { name, entry, parameters, inputs, seed } = stage;
      const { seconds = null, budget = null, outputs = null, created = null } = outcome ?? {};
      const made = outcome ? "done" : "absent";
      return {
        name,
        entry,
        key: key?.key ?? null,
        state: made,
        seed,
        parameters,
        inputs,
        seconds,
        budget,
        created,
        outputs,
      };
    });
    const result = run?.result ?? null;
    const document = {
      experiment,
      version,
      summary,
      seed,
      seeds,
      definition,
      result,
      state,
      hyperparameters,
      settings,
    };
    console.log(JSON.stringify({ ...document, stages: listed, report: report?.json ?? null }, null, 2));
    return code;
  }
  console.log(`${experiment} version ${version}, seed ${seed}: ${state}\n${summary}\n`);
  console.log(`definition  ${definition}\nresult      ${run?.result ?? "-"}\n`);
  if (settings.length > 0) {
    const rows = settings.map((
      { path, value, from, reason },
    ) => [path, JSON.stringify(value), from, reason ?? ""]);
    console.log(table(["set", "value", "by", "because"], rows) + "\n");
  }
  const rows = stages.map(({ stage, key, outcome }) => {
    const time = outcome ? duration(outcome.seconds) : "-";
    return [stage.name, stage.entry, key ? short(key.key) : "-", outcome ? "done" : "absent", time];
  });
  console.log(table(["stage", "module", "key", "state", "time"], rows) + "\n");
  const outputs = stages.flatMap(({ stage, outcome }) =>
    Object.entries(outcome?.outputs ?? {}).map((
      [name, { digest, bytes, mediaType }],
    ) => [`${stage.name}/${name}`, digest, size(bytes), mediaType])
  );
  if (outputs.length > 0) console.log(table(["output", "digest", "size", "type"], outputs));
  if (report) console.log(`\n${report.console}`);
  return code;
}

/** What several seeds say together, from what is stored: the code may be another one by now where a hash is given. */
async function showSeeds(subject: string, asked: readonly Request[], session: Session): Promise<number> {
  const { store, json } = session;
  const plans: Plan[] = [];
  const reports: ReportedSeed[] = [];
  for (const request of asked) {
    const { plan, stages } = await find(subject, request, session);
    const run = asRun(stages);
    const reported = run && await reportOn(plan, run.stages, run.result, store);
    if (!reported) {
      throw new UsageError(
        `Cannot show seeds ${asked.map(({ seed }) => seed).join(", ")} of "${subject}" together: seed ` +
          `${plan.seed} is ${run ? "without evaluations" : "not finished"} in this store under this code`,
      );
    }
    plans.push(plan);
    reports.push(reported);
  }
  const { report, failure } = await reportOnSeeds(plans, reports, store);
  console.log(json ? JSON.stringify(report.json, null, 2) : report.console);
  if (failure) console.error(failure);
  return failure ? 1 : 0;
}

/** The plan that a name stands for under a request, or the run that a hash does, with its stages. */
async function find(subject: string, request: Request, { store, catalog }: Session) {
  if (/^[0-9a-f]{6,64}$/.test(subject) && !catalog.names.includes(subject)) {
    return findRun(subject, store, request.seed);
  }
  const { plan, graph } = await catalog.plan(subject, request, store);
  return { plan, stages: status(plan, graph, store) };
}

function findRun(head: string, store: Store, seed?: number): { plan: Plan; stages: StageStatus[] } {
  const runs = [...store.runs(), ...store.history().map(({ run }) => run)];
  const found = runs.filter(({ plan, keys, result }) =>
    (seed === undefined || plan.seed === seed) &&
    [plan.definition, result ?? "", ...Object.values(keys)].some((hash) => hash.startsWith(head))
  );
  if (found.length === 0) {
    const which = seed === undefined ? "" : ` with seed ${seed}`;
    throw new UsageError(`Cannot find a run by "${head}"${which}: exp list shows the experiments`);
  }
  const newest = found.reduce((a, b) => a.created >= b.created ? a : b);
  return { plan: newest.plan, stages: statusOfRun(newest.plan, newest.keys, store) };
}
