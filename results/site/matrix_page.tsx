// deno-lint-ignore-file jsx-key -- pages are rendered once, on the server
/** @jsxImportSource hono/jsx */
/** Methods by tasks by seeds: where each cell stands, and what it came to. */
import { percent } from "../format.ts";
import { Hash, Note, Page } from "./layout.tsx";
import type { Reader } from "./reader.ts";
import type { DefinitionRow, RunIndex } from "./run_index.ts";
import { reportOf, viewRun } from "./run_view.ts";

const MOST = 12;

/** The page. With an experiment its definitions, else the newest of each experiment. */
export function MatrixPage(
  { index, reader, experiment }: { index: RunIndex; reader: Reader; experiment: string },
) {
  const query = { text: "", state: "", sort: "created", descending: true, offset: 0 } as const;
  const names = index.experiments();
  const rows = experiment !== ""
    ? index.list({ ...query, experiment, limit: MOST }).rows
    : names.slice(0, MOST).flatMap((name) => index.list({ ...query, experiment: name, limit: 1 }).rows);
  return (
    <Page title="Seeds" here="matrix">
      <form class="filters" method="get" action="/matrix">
        <label>
          Experiment{" "}
          <select name="experiment">
            <option value="">the newest of each</option>
            {names.map((name) => <option value={name} selected={name === experiment}>{name}</option>)}
          </select>
        </label>
        <button type="submit">Show</button>
      </form>
      <p class="quiet">
        {`Each cell is a policy's success on a task in one seed, a link to that run. At most ${MOST} definitions.`}
      </p>
      {rows.length === 0 && <Note>No runs yet.</Note>}
      {rows.map((row) => <Matrix row={row} reader={reader} />)}
    </Page>
  );
}

function Matrix({ row, reader }: { row: DefinitionRow; reader: Reader }) {
  const seeds = row.seeds.map(({ seed }) => {
    const view = viewRun(reader, row.definition, seed);
    if (view === "damaged" || view === "missing") return { seed, state: view, report: null };
    const made = view.stages.filter(({ state }) => state === "done").length;
    const state = view.running ? "running" : `${made}/${view.stages.length} stages`;
    return { seed, state, report: reportOf(reader, view) };
  });
  const policies = [
    ...new Set(seeds.flatMap(({ report }) => report?.policies.map(({ label }) => label) ?? [])),
  ];
  const tasks = [...new Set(seeds.flatMap(({ report }) => report?.tasks ?? []))].sort();
  const cell = (seed: typeof seeds[number], label: string, task: string) => {
    const found = seed.report?.policies.find((each) => each.label === label)?.tasks.find((each) =>
      each.task === task
    );
    return found && { rate: found.interval.estimate, text: `${found.successes}/${found.episodes}` };
  };
  return (
    <section>
      <h2>
        <a href={`/experiments/${row.definition}`}>{row.experiment}</a>{" "}
        <span class="quiet">
          {`v${row.version}`} <Hash hash={row.definition} />
        </span>
      </h2>
      {row.changed.length > 0 && <p class="changed">{row.changed.join(", ")}</p>}
      <div class="scroll" tabindex={0} role="group" aria-label={`${row.experiment} by task and seed`}>
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">Policy</th>
              <th scope="col">Task</th>
              {seeds.map(({ seed }) => (
                <th scope="col" class="r">
                  <a href={`/experiments/${row.definition}?seed=${seed}`}>{`seed ${seed}`}</a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {policies.length === 0 && (
              <tr>
                <th scope="row">–</th>
                <td>–</td>
                {seeds.map(({ state }) => <td class="r open">{state}</td>)}
              </tr>
            )}
            {policies.flatMap((label) =>
              tasks.map((task, i) => (
                <tr>
                  <th scope="row">{i === 0 ? label : <span class="hidden">{label}</span>}</th>
                  <td>{task}</td>
                  {seeds.map((seed) => {
                    const found = cell(seed, label, task);
                    return found
                      ? (
                        <td class={`r heat-${Math.round(10 * found.rate)}`} title={found.text}>
                          <a href={`/experiments/${row.definition}?seed=${seed.seed}`}>
                            {percent(found.rate)}
                          </a>
                        </td>
                      )
                      : <td class="r open">{seed.report ? "–" : seed.state}</td>;
                  })}
                </tr>
              ))
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}
